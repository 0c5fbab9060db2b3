// golden_test: one test for each file of golden numbers in FINSTILL_GOLDEN (a folder; default:
// golden/ of the shared material), and one for each whole-model file of FINSTILL_MODEL_GOLDEN
// (separated by ':'; FINSTILL_MODEL names the model folder). With FINSTILL_MODEL_GOLDEN alone only
// those run. Without shared material the tests are skipped; with FINSTILL_REQUIRE_SHARED=1 they
// fail instead.

#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <sstream>
#include <string>

#include "base/error.h"
#include "ops/kernels.h"
#include "tests/golden/golden.h"
#include "tests/support/shared.h"

namespace {

namespace fs = std::filesystem;
namespace golden = finstill::golden;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

class Body : public testing::Test {
 public:
  explicit Body(std::function<void()> body) : body_(std::move(body)) {}
  void TestBody() override { body_(); }

 private:
  std::function<void()> body_;
};

void add_test(const char* suite, std::string name, const std::function<void()>& body) {
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  testing::RegisterTest(suite, name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                        [body]() -> testing::Test* { return new Body(body); });
}

void add_model_files(const std::string& files) {
  std::istringstream list(files);
  for (std::string file; std::getline(list, file, ':');) {
    if (file.empty()) continue;
    const std::string name =
        fs::path(file).parent_path().filename().string() + "_" + fs::path(file).stem().string();
    add_test("GoldenModel", name,
             [file] { EXPECT_EQ(golden::run_model_file(file, environment("FINSTILL_MODEL")), 0); });
  }
}

void add_folder(const fs::path& folder) {
  const std::set<std::string> not_yet =
      golden::read_not_yet(fs::path(FINSTILL_SOURCE_DIR) / "tests/golden/not_yet.txt");
  add_test("Golden", "NoListedOpIsImplemented", [not_yet] {
    EXPECT_EQ(golden::implemented_among(not_yet), std::vector<std::string>());
  });
  static int ran = 0;
  for (const fs::path& file : golden::golden_files(folder)) {
    add_test("Golden", file.stem().string(),
             [file, not_yet] { EXPECT_EQ(golden::run_file(file, not_yet, ran), 0); });
  }
  // Registered last and run last. A filter that leaves files out would make this one meaningless.
  add_test("Golden", "SomethingWasFound", [folder] {
    if (ran == 0 && testing::GTEST_FLAG(filter) != "*") GTEST_SKIP() << "only a part was asked for";
    EXPECT_GT(ran, 0) << "no case of " << folder << " was run";
  });
}

/// The whole-model files of the shared material, where neither variable asks for something else.
std::string shared_models() {
  std::string models;
  for (const char* file : {"smollm2_135m/golden.json", "babyllama105/golden_torch.json",
                           "stories260K/golden_torch.json"}) {
    const fs::path place = finstill::tests::shared_root() / "models" / file;
    if (fs::exists(place)) models += (models.empty() ? "" : ":") + place.string();
  }
  return models;
}

void add_tests() {
  const std::string folder = environment("FINSTILL_GOLDEN");
  const std::string models = environment("FINSTILL_MODEL_GOLDEN");
  if (models.empty() && folder.empty()) add_model_files(shared_models());
  add_model_files(models);
  if (!models.empty() && folder.empty()) return;
  const fs::path place =
      folder.empty() ? finstill::tests::shared_root() / "golden" : fs::path(folder);
  if (folder.empty() && !fs::exists(place) && !finstill::tests::shared_required()) {
    add_test("Golden", "Skipped", [place] { GTEST_SKIP() << "needs shared material: " << place; });
    return;
  }
  add_folder(place);
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  finstill::ops::set_threads(0);
  try {
    add_tests();
  } catch (const finstill::base::Error& error) {
    add_test("Golden", "Setup", [message = std::string(error.what())] { FAIL() << message; });
  }
  return RUN_ALL_TESTS();
}
