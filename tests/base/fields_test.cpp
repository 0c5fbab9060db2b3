#include "base/fields.h"
#include "base/registry.h"

#include "expect_error.h"

#include <gtest/gtest.h>

namespace finstill::base {
namespace {

using tests::expect_error;

class Shape {
 public:
  virtual ~Shape() = default;
  virtual double area() const = 0;
};

struct CircleConfig {
  double radius = 1;
  static void fields(Fields<CircleConfig>& f) {
    f.add("radius", &CircleConfig::radius, "in metres").range(0, 100);
  }
};

class Circle : public Shape {
 public:
  explicit Circle(const CircleConfig& config) : radius_(config.radius) {}
  double area() const override { return 3 * radius_ * radius_; }

 private:
  double radius_;
};

class Nothing : public Shape {
 public:
  double area() const override { return 0; }
};

/// Holds a choice of its own registry: descriptions must end.
struct SumConfig {
  Tagged<Shape> left, right;
  static void fields(Fields<SumConfig>& f) {
    f.add("left", &SumConfig::left, "one part").required();
    f.add("right", &SumConfig::right, "other part");
  }
};

class Sum : public Shape {
 public:
  explicit Sum(const SumConfig& config) : left_(config.left.make()), right_(config.right.make()) {}
  double area() const override { return left_->area() + right_->area(); }

 private:
  std::unique_ptr<Shape> left_, right_;
};

const bool registered =
    Registry<Shape>::add<CircleConfig>(
        "circle", "a round one",
        [](const CircleConfig& config) { return std::make_unique<Circle>(config); }) &&
    Registry<Shape>::add<NoConfig>("nothing", "an empty one",
                                   [](const NoConfig&) { return std::make_unique<Nothing>(); }) &&
    Registry<Shape>::add<SumConfig>(
        "sum", "two shapes", [](const SumConfig& config) { return std::make_unique<Sum>(config); });
const bool listed = list_registry<Shape>("shape", "shapes of the tests");

struct LoraConfig {
  std::int64_t rank = 8;
  std::vector<std::string> targets = {"q", "v"};
  static void fields(Fields<LoraConfig>& f) {
    f.add("rank", &LoraConfig::rank, "of the update").range(1, 1024);
    f.add("targets", &LoraConfig::targets, "layers");
  }
};

struct RunConfig {
  std::int64_t epochs = 3;
  double rate = 0.5;
  bool shuffle = true;
  std::string mode = "fast";
  std::filesystem::path file, logs;
  std::uint64_t seed = 7;
  std::optional<LoraConfig> lora;
  std::optional<std::int64_t> limit;
  ArtifactRef model;
  Named<ArtifactRef> models;
  Tagged<Shape> shape;

  static void fields(Fields<RunConfig>& f) {
    f.add("epochs", &RunConfig::epochs, "passes over the data").range(1, 100);
    f.add("rate", &RunConfig::rate, "of learning").range(0, 10);
    f.add("shuffle", &RunConfig::shuffle, "draw an order");
    f.add("mode", &RunConfig::mode, "how").one_of({"fast", "exact"});
    f.add("file", &RunConfig::file, "what to read");
    f.add("logs", &RunConfig::logs, "where logs go").no_effect_on_results();
    f.add("seed", &RunConfig::seed, "of the order");
    f.add("lora", &RunConfig::lora, "low-rank update");
    f.add("limit", &RunConfig::limit, "items at most");
    f.add("model", &RunConfig::model, "who answers").required().artifact({"model", "train"});
    f.add("models", &RunConfig::models, "others, by name").artifact({"model"});
    f.add("shape", &RunConfig::shape, "its shape");
  }
};

RunConfig read(const std::string& text) {
  return read_config<RunConfig>(parse_yaml(text, "run.yaml"));
}

void expect_refused(const std::string& text, const std::string& part) {
  SCOPED_TRACE(text);
  expect_error([&] { read(text); }, ExitCode::config, part);
}

TEST(Fields, ReadsEveryKindOfMember) {
  const RunConfig config = read(R"(epochs: 5
rate: 1e-3
shuffle: false
mode: exact
file: "数据/a b.jsonl"
seed: 18446744073709551615
lora: {rank: 4, targets: [k]}
limit: 12
model: ${base}
models: {z: runs/z, a: runs/a}
shape: {kind: circle, radius: 2}
)");
  EXPECT_EQ(config.epochs, 5);
  EXPECT_EQ(config.rate, 1e-3);
  EXPECT_FALSE(config.shuffle);
  EXPECT_EQ(config.mode, "exact");
  EXPECT_EQ(config.file.string(), "数据/a b.jsonl");
  EXPECT_EQ(config.seed, 18446744073709551615ull);
  ASSERT_TRUE(config.lora);
  EXPECT_EQ(config.lora->rank, 4);
  EXPECT_EQ(config.lora->targets, std::vector<std::string>{"k"});
  EXPECT_EQ(config.limit, 12);
  EXPECT_EQ(config.model.text, "${base}");
  EXPECT_TRUE(config.model.path.empty());
  EXPECT_EQ(config.model.where, "run.yaml:9:8");
  ASSERT_EQ(config.models.size(), 2u);
  EXPECT_EQ(config.models[0].first, "z");
  EXPECT_EQ(config.models[0].second.path.string(), "runs/z");
  EXPECT_EQ(config.shape.make()->area(), 12);
}

TEST(Fields, KeepsDefaultsAndAcceptsTheShorthandOfAChoice) {
  const RunConfig config = read("model: m\nshape: circle\nlora:\n");
  EXPECT_EQ(config.epochs, 3);
  EXPECT_FALSE(config.lora);
  EXPECT_EQ(config.shape.make()->area(), 3);
}

TEST(Fields, NothingIsGuessedAcrossTypes) {
  expect_refused("model: m\nepochs: 010", "run.yaml:2:9: \"epochs\" must be an integer, not 010");
  expect_refused("model: m\nepochs: 1e3", "must be an integer (write 1000), not 1e3");
  expect_refused("model: m\nepochs: 2.0", "(write 2)");
  expect_refused("model: m\nepochs: \"3\"", "not the text \"3\"; remove the quotes");
  expect_refused("model: m\nepochs: 0x10", "must be an integer");
  expect_refused("model: m\nepochs: 9223372036854775808", "out of range");
  expect_refused("model: m\nepochs: 101", "must be from 1 to 100, not 101");
  expect_refused("model: m\nepochs:", "not nothing");
  expect_refused("model: m\nseed: -1", "an integer of at least 0");
  expect_refused("model: m\nseed: 18446744073709551616", "out of range");
  expect_refused("model: m\nrate: .nan", "finite number");
  expect_refused("model: m\nrate: .inf", "finite number");
  expect_refused("model: m\nrate: 1e999", "finite number");
  expect_refused("model: m\nrate: \"1e-4\"", "not the text");
  expect_refused("model: m\nrate: 11", "from 0 to 10");
  expect_refused("model: m\nshuffle: yes", "must be true or false, not yes");
  expect_refused("model: m\nshuffle: True", "must be true or false");
  expect_refused("model: m\nshuffle: 1", "must be true or false");
  expect_refused("model: 5", "must be text, and 5 is not; if it is meant as text, write \"5\"");
  expect_refused("model: 0o17", "must be text");
  expect_refused("model: true", "must be text");
  expect_refused("model: \"\"", "must name an artifact");
  expect_refused("model: m\nmode: slow", "must be one of fast, exact, not slow");
  expect_refused("model: m\nlora: 3", "expected settings");
  expect_refused("model: m\nlora: {targets: q}", "must be a list");
}

TEST(Fields, PlainTextThatIsNoNumberStaysText) {
  for (const std::string text : {"no", "1.2.3", "2024-01-31", "1a", "-x", "e5", "a_1", "~x"}) {
    EXPECT_EQ(read("model: " + text).model.text, text);
  }
}

TEST(Fields, UnknownAndMissingFieldsNameThePlaceAndTheNearestName) {
  expect_refused("model: m\nepoch: 3",
                 "run.yaml:2:8: unknown field \"epoch\"; did you mean \"epochs\"?");
  expect_refused("model: m\nzzzzzz: 3", "known: epochs, rate");
  expect_refused("epochs: 3", "run.yaml:1:1: \"model\" is missing (who answers)");
  expect_refused("", "\"model\" is missing");
  expect_refused("- 1", "expected settings");
  expect_refused("model: m\nshape: circel",
                 "did you mean \"circle\"? (known: circle, nothing, sum)");
  expect_refused("model: m\nshape: {kind: cube}", "run.yaml:2:15: unknown name \"cube\"");
  expect_refused("model: m\nshape: {radius: 2}", "needs a kind");
  expect_refused("model: m\nshape: {kind: circle, radus: 2}", "did you mean \"radius\"?");
  expect_refused("model: m\nshape: {kind: nothing, size: 2}", "there are no settings here");
}

TEST(Fields, ResolvedYamlReadsBackToTheSameConfig) {
  const RunConfig config = read(R"(model: "${base}"
file: "true"
lora: {rank: 2, targets: [a, "3", "", "x: y", "行\n列"]}
models: {"1": m, "a b": n}
rate: 0.1
shape: {kind: sum, left: circle, right: {kind: circle, radius: 3}}
)");
  const Json written = write_config(config);
  const std::string yaml = write_yaml(config_from_json(written));
  EXPECT_EQ(dump_json(write_config(read_config<RunConfig>(parse_yaml(yaml, "resolved.yaml")))),
            dump_json(written))
      << yaml;
}

TEST(Fields, TheIdentityHasNoPlacesAndNoFieldsWithoutEffect) {
  const RunConfig config = read("model: /srv/model\nfile: /srv/data\nlogs: /srv/logs\n");
  const Json results = write_config(config, Include::results);
  EXPECT_EQ(dump_json(results).find("/srv"), std::string::npos);
  EXPECT_EQ(results["model"], "<artifact>");
  EXPECT_EQ(results["file"], "<file>");
  EXPECT_FALSE(results.contains("logs"));
  EXPECT_EQ(results["epochs"], 3);
}

TEST(Fields, VisitsReferencesAndFilesHoweverDeep) {
  RunConfig config =
      read("model: ${a}\nmodels: {x: \"${b}\", y: \"${c}\"}\nfile: in.txt\nlogs: out.txt\n");
  std::string seen;
  struct_of<RunConfig>().references(
      &config, [&](ArtifactRef& reference, const std::vector<std::string>& kinds) {
        seen += reference.text + "/" + kinds[0] + std::to_string(kinds.size()) + " ";
        reference.path = "done";
      });
  EXPECT_EQ(seen, "${a}/model2 ${b}/model1 ${c}/model1 ");
  EXPECT_EQ(config.models[1].second.path.string(), "done");
  std::string files;
  struct_of<RunConfig>().files(&config, [&](const std::string& name, std::filesystem::path& path) {
    files += name + "=" + path.string() + " ";
  });
  EXPECT_EQ(files, "file=in.txt ");
}

TEST(Fields, HelpAndSchemaNameEveryFieldAndEndThoughAChoiceHoldsItself) {
  const std::string help = struct_of<RunConfig>().help(std::make_unique<RunConfig>().get());
  for (const char* part :
       {"epochs", "default 3; from 1 to 100", "one of fast, exact", "required; an artifact of kind",
        "circle: a round one", "radius", "rank"}) {
    EXPECT_NE(help.find(part), std::string::npos) << part << "\n" << help;
  }
  const Json schema = struct_of<RunConfig>().schema();
  EXPECT_EQ(schema["properties"]["epochs"]["maximum"], 100);
  EXPECT_EQ(schema["required"][0], "model");
  EXPECT_EQ(schema["properties"]["shape"]["anyOf"][0]["enum"][0], "circle");
}

TEST(Registry, UnknownNamesListTheKnownOnes) {
  expect_error([] { Registry<Shape>::find("triangle", "here"); }, ExitCode::config,
               "here: unknown name \"triangle\" (known: circle, nothing, sum)");
  EXPECT_TRUE(Registry<Shape>::contains("circle"));
  EXPECT_EQ(Registry<Shape>::make("circle")->area(), 3);
  expect_error([] { (void)Tagged<Shape>().make(); }, ExitCode::config, "nothing is chosen");
}

TEST(Registry, ListingsShowWhatListAndHelpPrint) {
  const auto all = listings();
  const auto shape =
      std::find_if(all.begin(), all.end(), [](const Listing& one) { return one.kind == "shape"; });
  ASSERT_NE(shape, all.end());
  const auto entries = shape->entries();
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].name, "circle");
  EXPECT_NE(entries[0].config->help(entries[0].defaults.get()).find("in metres"),
            std::string::npos);
}

TEST(NearestName, FindsTyposAndNothingElse) {
  const std::vector<std::string> known = {"learning_rate", "epochs", "seed"};
  EXPECT_EQ(nearest_name("leraning_rate", known), "learning_rate");
  EXPECT_EQ(nearest_name("sed", known), "seed");
  EXPECT_EQ(nearest_name("temperature", known), "");
}

}  // namespace
}  // namespace finstill::base
