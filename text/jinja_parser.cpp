#include "text/jinja_parser.h"

#include "text/jinja_parse_state.h"

#include <algorithm>

namespace finstill::text::jinja {

namespace {

class Parser {
 public:
  Parser(std::vector<Token> tokens, Program& program) : state_(std::move(tokens), program) {}

  void run() {
    parse_body(state_.program().body, {});
    if (state_.peek().kind != Token::Kind::end)
      state_.refuse("unexpected text behind the template");
  }

 private:
  using Kind = Statement::Kind;

  void end_tag() { state_.expect(Token::Kind::block_end, "the end of the tag"); }

  /// Statements up to a tag whose name is in `ends`, which stays (behind its {%); "" = up to the
  /// end of the template.
  void parse_body(Body& body, const std::vector<std::string>& ends) {
    const ParseState::Nesting nesting(state_);
    while (true) {
      const Token& token = state_.peek();
      if (token.kind == Token::Kind::end) {
        if (!ends.empty())
          state_.refuse(fmt::format("the template ends before {{% {} %}}", ends.back()));
        return;
      }
      if (token.kind == Token::Kind::data) {
        Statement& data = state_.statement(Kind::data);
        data.text = Value::string(state_.take().text);
        body.push_back(&data);
      } else if (token.kind == Token::Kind::output_begin) {
        state_.take();
        Statement& output = state_.statement(Kind::output);
        output.expression = parse_tuple(state_);
        state_.expect(Token::Kind::output_end, "'}}'");
        body.push_back(&output);
      } else {
        state_.expect(Token::Kind::block_begin, "a tag");
        if (state_.peek().kind == Token::Kind::name &&
            std::find(ends.begin(), ends.end(), state_.peek().text) != ends.end()) {
          return;
        }
        body.push_back(parse_statement());
      }
    }
  }

  /// The body of a block and its end tag.
  void parse_block(Body& body, const std::string& end) {
    end_tag();
    parse_body(body, {end});
    state_.take();
    end_tag();
  }

  const Statement* parse_statement() {
    const std::string tag = state_.peek().text;
    if (state_.peek().kind != Token::Kind::name) state_.refuse("expected the name of a tag");
    if (tag == "if") return parse_if();
    if (tag == "for") return parse_for();
    if (tag == "set") return parse_set();
    if (tag == "macro") return parse_macro();
    if (tag == "call") return parse_call_block();
    if (tag == "filter") return parse_filter_block();
    if (tag == "with") return parse_with();
    if (tag == "generation") return parse_generation();
    if (tag == "break" || tag == "continue")
      return parse_jump(tag == "break" ? Kind::leave : Kind::next);
    state_.refuse(fmt::format("the tag {{% {} %}} is not supported in chat templates", tag));
  }

  const Statement* parse_if() {
    Statement& result = state_.statement(Kind::branches);
    state_.take();
    bool more = true;
    const Expression* condition = parse_tuple(state_);
    while (more) {
      end_tag();
      Branch branch;
      branch.condition = condition;
      parse_body(branch.body, condition == nullptr
                                  ? std::vector<std::string>{"endif"}
                                  : std::vector<std::string>{"elif", "else", "endif"});
      result.branches.push_back(std::move(branch));
      const std::string tag = state_.take().text;
      if (tag == "elif") {
        condition = parse_tuple(state_);
      } else if (tag == "else") {
        condition = nullptr;
      } else {
        more = false;
      }
    }
    end_tag();
    return &result;
  }

  const Statement* parse_for() {
    Statement& result = state_.statement(Kind::loop);
    state_.take();
    result.target = parse_target(state_, false);
    if (!state_.take_name("in")) state_.refuse("expected 'in' in {% for %}");
    result.expression = parse_loop_iterable(state_);
    if (state_.take_name("if")) result.condition = parse_expression(state_);
    result.recursive = state_.take_name("recursive");
    end_tag();
    ++loops_;
    parse_body(result.body, {"else", "endfor"});
    --loops_;
    if (state_.take().text == "else") {
      end_tag();
      parse_body(result.otherwise, {"endfor"});
      state_.take();
    }
    end_tag();
    return &result;
  }

  const Statement* parse_set() {
    Statement& result = state_.statement(Kind::set);
    state_.take();
    result.target = parse_target(state_, true);
    if (state_.take_symbol("=")) {
      result.expression = parse_tuple(state_);
      end_tag();
      return &result;
    }
    result.kind = Kind::set_block;
    if (state_.at_symbol("|")) result.expression = parse_filters(state_, nullptr);
    parse_block(result.body, "endset");
    return &result;
  }

  void parse_parameters(Statement& result) {
    state_.expect_symbol("(");
    while (!state_.at_symbol(")")) {
      Parameter parameter;
      parameter.name = state_.expect_name("the name of a parameter");
      if (state_.take_symbol("=")) {
        parameter.fallback = parse_expression(state_);
      } else if (!result.parameters.empty() && result.parameters.back().fallback != nullptr) {
        state_.refuse("a parameter without a default follows one with a default");
      }
      result.parameters.push_back(std::move(parameter));
      if (!state_.take_symbol(",")) break;
    }
    state_.expect_symbol(")");
  }

  const Statement* parse_macro() {
    Statement& result = state_.statement(Kind::macro);
    state_.take();
    result.name = state_.expect_name("the name of the macro");
    parse_parameters(result);
    const int loops = std::exchange(loops_, 0);
    parse_block(result.body, "endmacro");
    loops_ = loops;
    return &result;
  }

  const Statement* parse_call_block() {
    Statement& result = state_.statement(Kind::call_block);
    state_.take();
    result.name = "caller";
    if (state_.at_symbol("(")) parse_parameters(result);
    result.expression = parse_call(state_);
    const int loops = std::exchange(loops_, 0);
    parse_block(result.body, "endcall");
    loops_ = loops;
    return &result;
  }

  const Statement* parse_filter_block() {
    Statement& result = state_.statement(Kind::filter_block);
    state_.take();
    result.expression = parse_filters(state_, nullptr);
    parse_block(result.body, "endfilter");
    return &result;
  }

  const Statement* parse_with() {
    Statement& result = state_.statement(Kind::with);
    state_.take();
    while (state_.peek().kind != Token::Kind::block_end) {
      if (!result.assignments.empty()) state_.expect_symbol(",");
      const Expression* target = parse_target(state_, false);
      state_.expect_symbol("=");
      result.assignments.emplace_back(target, parse_expression(state_));
    }
    parse_block(result.body, "endwith");
    return &result;
  }

  const Statement* parse_generation() {
    Statement& result = state_.statement(Kind::generation);
    state_.take();
    state_.program().has_generation = true;
    parse_block(result.body, "endgeneration");
    return &result;
  }

  const Statement* parse_jump(Kind kind) {
    if (loops_ == 0) state_.refuse("break and continue stand inside {% for %} alone");
    Statement& result = state_.statement(kind);
    state_.take();
    end_tag();
    return &result;
  }

  ParseState state_;
  int loops_ = 0;  ///< around the current statement, within the macro
};

}  // namespace

std::unique_ptr<const Program> parse_template(std::string_view source, const std::string& name) {
  auto program = std::make_unique<Program>();
  program->name = name;
  Parser(tokenize_template(source, name), *program).run();
  return program;
}

}  // namespace finstill::text::jinja
