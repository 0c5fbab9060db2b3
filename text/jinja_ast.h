#pragma once

// The parsed template. Nodes live in one list of the program and point at each other, so that deep
// nesting never means deep destruction.

#include "text/jinja_value.h"

#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace finstill::text::jinja {

struct Expression {
  enum class Kind {
    literal,    ///< value
    name,       ///< text
    list,       ///< children
    tuple,      ///< children
    dict,       ///< children: key, value, key, value, ...
    attribute,  ///< children[0].text
    item,       ///< children[0][children[1]]
    slice,      ///< children[0][children[1] : children[2] : children[3]], null where left out
    call,       ///< children[0](arguments)
    filter,     ///< children[0] | text(arguments); children[0] is null for the body of a block
    test,       ///< children[0] is text(arguments)
    negate,
    plus,
    logical_not,  ///< children[0]
    logical_and,
    logical_or,   ///< children[0], children[1]
    binary,       ///< children[0] text children[1]
    concat,       ///< all children ~ each other
    compare,      ///< children[0] operators[0] children[1] operators[1] children[2] ...
    conditional,  ///< children[1] if children[0] else children[2], which may be null
  };
  Kind kind = Kind::literal;
  int line = 0;
  Value value;
  std::string text;
  std::vector<const Expression*> children;
  std::vector<const Expression*> positional;                     ///< arguments
  std::vector<std::pair<std::string, const Expression*>> named;  ///< keyword arguments
  std::vector<std::string> operators;
};

struct Statement;
using Body = std::vector<const Statement*>;

struct Branch {
  const Expression* condition = nullptr;  ///< null: else
  Body body;
};

struct Parameter {
  std::string name;
  const Expression* fallback = nullptr;
};

struct Statement {
  enum class Kind {
    data,          ///< text
    output,        ///< expression
    branches,      ///< if, elif, else
    loop,          ///< for target in expression if condition: body, otherwise
    set,           ///< target = expression
    set_block,     ///< target = body, through the filters of expression (null: none)
    macro,         ///< name, parameters, body
    call_block,    ///< expression is a call; body with parameters is its caller()
    filter_block,  ///< body through the filters of expression
    with,          ///< assignments, body
    generation,    ///< body is what the assistant generates
    leave,
    next,  ///< break, continue
  };
  Kind kind = Kind::data;
  int line = 0;
  std::string name;
  Value text;                          ///< of data
  const Expression* target = nullptr;  ///< a name, a tuple of targets, or an attribute of a name
  const Expression* expression = nullptr;
  const Expression* condition = nullptr;
  bool recursive = false;
  std::vector<Branch> branches;
  std::vector<Parameter> parameters;
  std::vector<std::pair<const Expression*, const Expression*>> assignments;
  Body body, otherwise;
};

struct Program {
  std::string name;  ///< begins every message
  Body body;
  bool has_generation = false;  ///< whether it marks what is generated
  std::deque<Expression> expressions;
  std::deque<Statement> statements;
};

}  // namespace finstill::text::jinja
