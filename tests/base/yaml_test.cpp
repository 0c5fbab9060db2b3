#include "base/fields.h"

#include "../support/temporary.h"
#include "expect_error.h"

#include <gtest/gtest.h>

namespace finstill::base {
namespace {

using tests::expect_error;

void expect_refused(const std::string& text, const std::string& part) {
  SCOPED_TRACE(text.substr(0, 80));
  expect_error([&] { parse_yaml(text, "a.yaml"); }, ExitCode::config, part);
}

std::string as_json(const std::string& text) {
  return dump_json(config_to_json(parse_yaml(text, "a.yaml")));
}

TEST(Yaml, ScalarsSayTheirType) {
  EXPECT_EQ(as_json("[1, -2, 1.5, 1e3, true, null, ~, text, \"1\", '2', no, 12a]"),
            R"([1,-2,1.5,1000.0,true,null,null,"text","1","2","no","12a"])");
  EXPECT_EQ(as_json("a: |\n  x\n  y\nb: >\n  x\n  y\n"), R"({"a":"x\ny\n","b":"x y\n"})");
  EXPECT_EQ(as_json(""), "null");
  EXPECT_EQ(as_json("# only a comment\n"), "null");
  EXPECT_EQ(as_json("\xEF\xBB\xBF"
                    "a: 1\r\nb: 2\r\n"),
            R"({"a":1,"b":2})");
  for (const std::string text :
       {"010", "0x1F", "1_000", ".5", "+1", ".nan", "True", "NULL", "5.", "-.inf"}) {
    SCOPED_TRACE(text);
    expect_error([&] { as_json("[" + text + "]"); }, ExitCode::config, "two ways");
  }
}

TEST(Yaml, RefusesWhatMakesYamlDangerous) {
  expect_refused("a: &x 1\nb: *x\n", "a.yaml:1:4: anchors");
  expect_refused("b: *x\n", "a.yaml:1:4: ");
  expect_refused("a: !!int 3\n", "a.yaml:1:4: tags");
  expect_refused("a: ! 3\n", "tags");
  expect_refused("a: !custom {b: 1}\n", "tags");
  expect_refused("<<: {a: 1}\n", "merge keys");
  expect_refused("lr: 1\nb: 2\nlr: 3\n",
                 "a.yaml:3:1: the key \"lr\" stands here twice (first in line 1)");
  expect_refused("{a: 1, a: 2}", "stands here twice");
  expect_refused("? [a, b]\n: 1\n", "a key must be plain text");
  expect_refused("a: 1\n---\nb: 2\n", "more than one YAML document");
  expect_refused("a: [1, 2\n", "not valid YAML");
  expect_refused("a: \"x\n",
                 "a.yaml:1:4: not valid YAML: the quote that opens here is never closed");
  expect_refused("a: 'x\nb: it''s\n", "never closed");
  expect_refused("a:\n\t- b\n", "a.yaml:2");
  expect_refused(std::string("a: \x01\n"), "a.yaml:1:4: invalid UTF-8 or a control character");
  expect_refused("键: \xff\n", "a.yaml:1:4: ");
  expect_refused("a: \"\\N\"\n", "a.yaml:1:4: an escape that is no character");
  expect_refused(std::string(70, '[') + std::string(70, ']'), "nested deeper than 64");
  expect_refused(std::string(100000, '['), "");
  expect_refused("a: " + std::string(1 << 20, 'x'), "larger than 1 MiB");
}

TEST(Yaml, RefusesHugeMaps) {
  std::string text;
  for (int i = 0; i <= 10000; ++i) text += "k" + std::to_string(i) + ":\n";
  expect_refused(text, "a.yaml:10001:1: more than 10000 keys in one map");
}

TEST(Yaml, ColumnsCountCharacters) {
  const ConfigNode root = parse_yaml("中文键: 值\nb:\n  - c: 1\n", "a.yaml");
  EXPECT_EQ(root.find("中文键")->where(), "a.yaml:1:6");
  EXPECT_EQ(root.find("b")->items[0].find("c")->where(), "a.yaml:3:8");
}

TEST(Yaml, ColumnsOfALongLineAreCountedOnce) {
  // Counting from the start of the line for each value would take a minute.
  std::string text = "[";
  for (int i = 0; i < 120000; ++i) text += "值,";
  const ConfigNode root = parse_yaml(text + "{a: 1, b: [2]}]", "a.yaml");
  ASSERT_EQ(root.items.size(), 120001u);
  EXPECT_EQ(root.items[1].where(), "a.yaml:1:4");
  EXPECT_EQ(root.items[119999].where(), "a.yaml:1:240000");
  EXPECT_EQ(root.items[120000].find("b")->items[0].where(), "a.yaml:1:240013");
}

TEST(Yaml, SetPlacesValuesAtDottedPaths) {
  ConfigNode root = parse_yaml("stages:\n  a: {kind: train, epochs: 3}\n", "a.yaml");
  set_config(root, "stages.a.epochs=5");
  set_config(root, "stages.a.objective={kind: distill, temperature: 2}");
  set_config(root, "stages.b.tasks=[x, \"7\"]");
  set_config(root, "name=\"7\"");
  EXPECT_EQ(
      dump_json(config_to_json(root)),
      R"({"stages":{"a":{"kind":"train","epochs":5,"objective":{"kind":"distill","temperature":2}},)"
      R"("b":{"tasks":["x","7"]}},"name":"7"})");
  EXPECT_EQ(root.find("stages")->find("a")->find("epochs")->where(), "--set stages.a.epochs");
  expect_error([&] { set_config(root, "name"); }, ExitCode::usage, "path.to.field=value");
  expect_error([&] { set_config(root, "=3"); }, ExitCode::usage, "path.to.field=value");
  expect_error([&] { set_config(root, "a..b=3"); }, ExitCode::usage, "a name is missing");
  expect_error([&] { set_config(root, "stages.a.kind.x=3"); }, ExitCode::usage,
               "\"stages.a.kind\" is no map");
}

TEST(Yaml, WrittenTextReadsBackToTheSameValues) {
  const std::string text = R"(a: {b: [1, [2, {c: d}], {e: f, g: [h]}], i: {}, j: []}
"key: odd": "1"
"": ''
"1": x
plain: it, has [odd] things
lines: "a\nb\t\"\\"
chinese: 估值
"null": ~
control: "\u0085\u2028\x7f"
)";
  const ConfigNode tree = parse_yaml(text, "a.yaml");
  const std::string written = write_yaml(tree);
  EXPECT_EQ(as_json(written), dump_json(config_to_json(tree))) << written;
  EXPECT_EQ(write_yaml(parse_yaml(written, "b.yaml")), written);
}

TEST(Yaml, ReadsAFileWithAChineseName) {
  const tests::TemporaryFolder folder;
  tests::write_text(folder / "配方.yaml", "a: [1,\n");
  expect_error([&] { read_yaml(folder / "配方.yaml"); }, ExitCode::config,
               "配方.yaml:2:1: not valid YAML");
  expect_error([&] { read_yaml(folder / "没有.yaml"); }, ExitCode::io, "没有.yaml: cannot open");
}

}  // namespace
}  // namespace finstill::base
