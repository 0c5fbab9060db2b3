#include "text/jinja.h"

#include "base/error.h"

#include <gtest/gtest.h>

namespace finstill::text::jinja {
namespace {

std::vector<std::pair<std::string, Value>> variables_of(const base::Json& object,
                                                        Origin origin = template_origin) {
  std::vector<std::pair<std::string, Value>> variables;
  for (const auto& [name, value] : object.items())
    variables.emplace_back(name, Value::from_json(value, origin));
  return variables;
}

std::string render(const std::string& source, const base::Json& variables = base::Json::object()) {
  return Template(source, "test").render(variables_of(variables)).bytes();
}

/// What a rendering throws, or "".
std::string error_of(const std::string& source,
                     const base::Json& variables = base::Json::object()) {
  try {
    render(source, variables);
  } catch (const base::Error& error) {
    return error.what();
  }
  return "";
}

TEST(Jinja, SmallTemplatesGiveWhatJinja2GivesOfThem) {
  const base::Json golden =
      base::read_json(std::filesystem::path(FINSTILL_SOURCE_DIR) / "tests/text/jinja/cases.json");
  const DateTime now = parse_date(golden["now"].get<std::string>());
  ASSERT_GT(golden["cases"].size(), 100U);
  for (const base::Json& expected : golden["cases"]) {
    const std::string source = expected["template"];
    SCOPED_TRACE(source);
    try {
      const std::string text =
          Template(source, "test").render(variables_of(golden["variables"]), now).bytes();
      if (expected.contains("error")) {
        ADD_FAILURE() << "jinja2 raises; we write: " << text;
      } else {
        EXPECT_EQ(text, expected["text"].get<std::string>());
      }
    } catch (const base::Error& error) {
      if (!expected.contains("error")) ADD_FAILURE() << error.what();
    }
  }
}

TEST(Jinja, ErrorsNameTemplateAndLine) {
  EXPECT_EQ(error_of("a\nb\n{{ 1 / 0 }}"), "test:3: ZeroDivisionError: division by zero");
  EXPECT_EQ(error_of("{% if x %}\n\n{{ y"), "test:3: a tag is not closed by }}");
  EXPECT_EQ(error_of("\n{{ raise_exception('roles must alternate') }}"),
            "test:2: the template refuses this conversation: roles must alternate");
  EXPECT_NE(error_of("{% import 'os' as os %}").find("{% import %} is not supported"),
            std::string::npos);
}

/// The origins of a rendering, one digit a byte.
std::string origins(const std::string& source) {
  std::vector<std::pair<std::string, Value>> variables;
  variables.emplace_back("a", Value::string("one two", 1));
  variables.emplace_back("b", Value::string(" B<|end|> ", 2));
  const TrackedText text = Template(source, "test").render(std::move(variables));
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const Origin origin = text.origin_at(i);
    result += static_cast<char>('0' + (origin & ~generation_bit) +
                                ((origin & generation_bit) != 0 ? 5 : 0));
  }
  return result;
}

TEST(JinjaProvenance, EveryByteKnowsWhoWroteItWhateverIsDoneToIt) {
  EXPECT_EQ(origins("x{{ a }}y"), "011111110");
  EXPECT_EQ(origins("{{ 'p' + a[:3] ~ b | trim }}"), "011122222222");
  EXPECT_EQ(origins("{{ a.split(' ')[1] }}{{ a.upper() }}"), "1111111111");
  EXPECT_EQ(origins("{{ a.replace('one', b.strip()) }}"), "222222221111");
  EXPECT_EQ(origins("{{ [a[0], b[1]] | join('-') }}{{ [a[:3]] }}"),
            "1020"
            "011100");
  EXPECT_EQ(origins("{{ {a[0]: b[1]} | tojson }}"), "0010000200");
  EXPECT_EQ(origins("{% set x %}<{{ a[:1] }}>{% endset %}{{ x * 2 }}"), "010010");
  EXPECT_EQ(origins("{% macro m(t) %}[{{ t }}]{% endmacro %}{{ m(a[:2]) }}"), "0110");
  EXPECT_EQ(origins("{{ '%s|' % a[:2] }}{{ '{}|'.format(b[1]) }}{{ (a[:3] | reverse) }}"),
            "11020111");
  EXPECT_EQ(origins("{{ a[:3] | indent(1, true) }}{{ ('<' + b[2]) | escape }}"),
            "0111"
            "0000"
            "2222");
  EXPECT_EQ(origins("{% for c in a[:2] %}{{ c }}{% endfor %}{{ a | truncate(4, true, '.', 0) }}"),
            "11"
            "1110");
}

TEST(JinjaProvenance, GenerationBlocksMarkWhatTheyEnclose) {
  EXPECT_EQ(origins("x{% generation %}y{{ a[:2] }}{% endgeneration %}z"), "05660");
  EXPECT_EQ(origins("{% set v %}{% generation %}q{% endgeneration %}{% endset %}[{{ v }}]"), "050");
  EXPECT_TRUE(Template("{% generation %}{% endgeneration %}", "t").has_generation());
  EXPECT_FALSE(Template("{{ generation }}", "t").has_generation());
}

TEST(JinjaLimits, AHostileTemplateEndsWithAnErrorInsteadOfHangingOrFillingMemory) {
  const char* const templates[] = {
      "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(40) %}{% set ns.s = ns.s + ns.s "
      "%}{% endfor %}",
      "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% "
      "endfor %}",
      "{% set ns = namespace(l=[]) %}{% for i in range(90000) %}{% set ns.l = [ns.l] %}{% endfor "
      "%}",
      "{% set ns = namespace(l=[]) %}{% for i in range(150) %}{% set ns.l = [ns.l, ns.l] %}{% "
      "endfor %}{{ ns.l }}",
      "{% set ns = namespace(l=[]) %}{% for i in range(150) %}{% set ns.l = [ns.l, ns.l] %}{% "
      "endfor %}{{ ns.l == ns.l }}",
      "{{ 'x' * 9000000 }}",
      "{{ 'x' * 99999999999 }}",
      "{{ 'x'.center(99999999999) }}",
      "{% for i in range(99999) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' * 32 }}{% endfor %}",
      "{{ 9223372036854775807 + 1 }}",
      "{{ -9223372036854775807 - 2 }}",
      "{{ 2 ** 999999999 }}",
      "{{ range(0, 999999999) }}",
      "{% for n in [1] recursive %}{{ loop([1]) }}{% endfor %}",
  };
  for (const char* source : templates) EXPECT_NE(error_of(source), "") << source;
  EXPECT_NE(error_of("{{ " + std::string(50000, '(') + "1" + std::string(50000, ')') + " }}"), "");
  EXPECT_NE(error_of("{{ 1" +
                     [] {
                       std::string s;
                       for (int i = 0; i < 50000; ++i) s += "+1";
                       return s;
                     }() +
                     " }}"),
            "");
  EXPECT_NE(error_of("{{ x" +
                     [] {
                       std::string s;
                       for (int i = 0; i < 50000; ++i) s += "|e";
                       return s;
                     }() +
                     " }}"),
            "");
  EXPECT_NE(error_of([] {
              std::string s;
              for (int i = 0; i < 5000; ++i) s += "{% if 1 %}";
              return s;
            }()),
            "");
}

TEST(JinjaLimits, ValuesThatReferToThemselvesAreReleased) {
  // Run under the leak checker: a namespace that holds itself, and macros that hold their scopes.
  EXPECT_EQ(render("{% set ns = namespace() %}{% set ns.me = ns %}{% macro m() %}{{ m is defined "
                   "}}{% endmacro %}"
                   "{% set ns.m = m %}{{ ns.me.m() }}"),
            "True");
  std::string chain =
      "{% set ns = namespace(last=none) %}{% for i in range(9000) %}"
      "{% set ns.last = namespace(before=ns.last) %}{% endfor %}done";
  EXPECT_EQ(render(chain), "done");
}

TEST(JinjaLimits, LoopsThatRememberOtherLoopsAreReleasedOneByOne) {
  // Each loop remembers the one before it, deep inside lists; released as a chain they would need
  // half a million calls of destructors inside one another.
  const std::string held =
      "loop.changed(" + std::string(40, '[') + "ns.p" + std::string(40, ']') + ")";
  EXPECT_EQ(render("{% set ns = namespace(p=none) %}{% for i in range(9000) %}{% for j in 'x' %}"
                   "{% set _ = " +
                   held + " %}{% set ns.p = loop %}{% endfor %}{% endfor %}done"),
            "done");
  // Run under the leak checker: a loop that holds itself.
  EXPECT_EQ(render("{% for i in 'ab' %}{{ loop.changed(loop) }}{% endfor %}"), "TrueFalse");
}

TEST(JinjaLimits, FiltersInsideFiltersAreCountedAndTheirArgumentsPaidFor) {
  const auto many = [](const std::string& argument) {
    std::string list;
    for (int i = 0; i < 18500; ++i) list += "," + argument;
    return list;
  };
  EXPECT_NE(error_of("{{ 'a' | map('map'" + many("'map'") + ") | list }}")
                .find("filters are nested deeper than 64 levels"),
            std::string::npos);
  EXPECT_NE(error_of("{{ range(90000) | map('replace', 'a', 'b'" + many("1") + ") | list }}")
                .find("too much work"),
            std::string::npos);
}

TEST(JinjaLimits, WhateverIsDoneToALongTextAgainAndAgainIsPaidFor) {
  // Each of these would take hours or fill the memory if it were free.
  for (const std::string expression : {"a.strip('b')",
                                       "a.isalpha()",
                                       "a.islower()",
                                       "a.partition('b')",
                                       "a.removeprefix('a')",
                                       "a.zfill(5000000)",
                                       "a.startswith((a,) * 1000)",
                                       "a | safe",
                                       "a | forceescape",
                                       "a | string | length",
                                       "a | int",
                                       "a is filter",
                                       "a is lower",
                                       "'%s' % a",
                                       "a[a]",
                                       "namespace({a: 1})",
                                       "strftime_now(a)",
                                       "a | default('x') | trim",
                                       "'x'.strip(a)",
                                       "[1] | tojson(indent=a)",
                                       "'b' | indent(a, true)"}) {
    SCOPED_TRACE(expression);
    EXPECT_NE(error_of("{% set a = 'a' * 4000 * 1000 %}{% for i in range(90000) %}{% set x = " +
                       expression + " %}{% endfor %}")
                  .find("too much work"),
              std::string::npos);
  }
}

TEST(JinjaLimits, ASearchCostsWhatItsWorstCaseTakes) {
  const std::string texts =
      "{% set a = 'a' * 4000 * 1000 %}{% set b = 'a' * 2000 * 1000 ~ 'b' ~ 'a' * 100 %}";
  for (const std::string expression :
       {"b in a", "a.find(b)", "a.rfind(b)", "a.count(b)", "a.split(b)", "a.rsplit(b, 1)",
        "a.replace(b, '')", "a.partition(b)", "a.rpartition(b)"}) {
    EXPECT_NE(error_of(texts + "{{ " + expression + " }}").find("too much work"), std::string::npos)
        << expression;
  }
  EXPECT_EQ(render("{% set a = 'a' * 4000 * 1000 ~ '</think>' %}{{ '</think>' in a }}"
                   "{{ a.split('</think>') | length }}{{ ('xyx' * 1000).strip('yx') }}"),
            "True2");
}

TEST(JinjaLimits, AMissingNameOfAnyLengthMakesAShortMessage) {
  for (const char* source : {"{{ {}['y' * 5000].z }}", "{{ {}['__' ~ 'y' * 5000].z }}",
                             "{% for i in 'a' %}{{ loop['y' * 5000].z }}{% endfor %}"}) {
    const std::string message = error_of(source);
    EXPECT_NE(message.find("yyy..."), std::string::npos) << message;
    EXPECT_LT(message.size(), 200u);
  }
}

TEST(JinjaFormat, WidthsAndPrecisionsHaveALimitAndIntegersAreFinite) {
  for (const char* source : {"{{ '%.999999999f' % 1.5 }}", "{{ '%.4097f' % 1.5 }}",
                             "{{ '%4097d' % 1 }}", "{{ '%1.2.3f' % 1.5 }}", "{{ '%5-3d' % 1 }}",
                             "{{ '%x' % 1.5 }}", "{{ '%x' % -1 }}", "{{ '%d' % 1e300 }}"}) {
    EXPECT_NE(error_of(source), "") << source;
  }
  EXPECT_NE(error_of("{{ '%d' % ('nan' | float) }}")
                .find("ValueError: cannot convert float NaN to integer"),
            std::string::npos);
  EXPECT_NE(error_of("{{ '%i' % ('-inf' | float) }}")
                .find("OverflowError: cannot convert float infinity to integer"),
            std::string::npos);
  EXPECT_EQ(render("{{ '%+06.2f|%-4d|%.0f|%.f|%x' % (1.5, -7.9, 2.5, 0.4, 255) }}"),
            "+01.50|-7  |2|0|ff");
  EXPECT_EQ(render("{{ ('%.4096f' % 1e300) | length }}"), "4398");
}

TEST(JinjaLimits, IntegersBeyond64BitsAreRefusedAndNotRounded) {
  EXPECT_NE(error_of("{{ '9223372036854775808' | int }}").find("64 bits"), std::string::npos);
  EXPECT_EQ(render("{{ '9223372036854775807' | int }}"), "9223372036854775807");
  EXPECT_THROW(Value::from_json(9223372036854775808u, template_origin), Failure);
}

TEST(JinjaLimits, SlicesAndDivisionsAtTheEdgesOfIntegersAreDefined) {
  EXPECT_EQ(render("{{ [1,2,3][9223372036854775807:] }}{{ [1,2,3][-9223372036854775807:2] }}"),
            "[][1, 2]");
  EXPECT_EQ(render("{{ [1,2,3][::9223372036854775807] }}{{ 'abc'[::-9223372036854775807] }}"),
            "[1]c");
  EXPECT_EQ(render("{{ (-9223372036854775807 - 1) % -1 }}"), "0");
  EXPECT_NE(error_of("{{ (-9223372036854775807 - 1) // -1 }}"), "");
  EXPECT_EQ(render("{{ 'abc'[9223372036854775807] }}{{ 'abc'[-9223372036854775807] }}"), "");
  EXPECT_EQ(render("{{ 9223372036854775807 % -2 }} {{ 7 % -3 }} {{ -7 % 3 }} {{ 6 % -3 }} "
                   "{{ (-9223372036854775807 - 1) % 9223372036854775807 }}"),
            "-1 -2 2 0 9223372036854775806");
  EXPECT_EQ(render("{{ 2 is divisibleby 9223372036854775807 }} "
                   "{{ (-9223372036854775807 - 1) is divisibleby(-1) }} {{ -3 is odd }}"),
            "False True True");
}

TEST(JinjaDate, DatesAreCheckedAndFormattedWithoutLocaleOrZone) {
  const DateTime date = parse_date("2025-01-15T09:30:00");
  EXPECT_EQ(format_date(date, "%A %d %B %Y, %H:%M %-d %j"),
            "Wednesday 15 January 2025, 09:30 15 015");
  EXPECT_EQ(format_date(parse_date("2024-12-31"), "%j %a"), "366 Tue");
  for (const char* bad : {"2025-02-29", "2025-1-1", "2025-13-01", "x", "2025-01-15T25:00:00",
                          "2025-01-15T09:30:00Z"}) {
    EXPECT_THROW(parse_date(bad), base::Error) << bad;
  }
}

}  // namespace
}  // namespace finstill::text::jinja
