#include "base/hash.h"

#include "../support/temporary.h"
#include "expect_error.h"

#include <gtest/gtest.h>

namespace finstill::base {
namespace {

using tests::expect_error;
using tests::write_text;

// FIPS 180-4 examples.
constexpr const char* of_nothing =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr const char* of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr const char* of_a_million_a =
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Hash, GivesThePublishedValuesHoweverTheBytesCome) {
  EXPECT_EQ(sha256(""), of_nothing);
  EXPECT_EQ(sha256("abc"), of_abc);
  Sha256 hash;
  for (int i = 0; i < 1000; ++i) hash.update(std::string(1000, 'a'));
  EXPECT_EQ(hash.finish(), of_a_million_a);
  const tests::TemporaryFolder folder;
  write_text(folder / "a", std::string(1000000, 'a'));
  EXPECT_EQ(sha256_file(folder / "a"), of_a_million_a);
}

TEST(Hash, AFoldersHashKnowsNamesAndContentsAndNotItsPlace) {
  const tests::TemporaryFolder folder;
  for (const char* name : {"one/sub", "two/sub", "three/sub", "four/sub"}) {
    std::filesystem::create_directories(folder / name);
  }
  write_text(folder / "one/a", "1");
  write_text(folder / "one/sub/估", "2");
  write_text(folder / "two/a", "1");
  write_text(folder / "two/sub/估", "2");
  write_text(folder / "three/a", "1");
  write_text(folder / "three/sub/b", "2");
  write_text(folder / "four/a", "2");
  write_text(folder / "four/sub/估", "1");
  EXPECT_EQ(sha256_folder(folder / "one"), sha256_folder(folder / "two"));
  EXPECT_NE(sha256_folder(folder / "one"), sha256_folder(folder / "three"));
  EXPECT_NE(sha256_folder(folder / "one"), sha256_folder(folder / "four"));
  EXPECT_EQ(sha256_folder(folder / "one",
                          [](const std::string& relative) { return relative == "sub/估"; }),
            sha256_folder(folder / "three",
                          [](const std::string& relative) { return relative == "sub/b"; }));
}

TEST(Hash, ListsFilesThroughLinksAndRefusesCircles) {
  const tests::TemporaryFolder folder;
  std::filesystem::create_directories(folder / "real");
  write_text(folder / "real/x", "1");
  std::filesystem::create_directory_symlink("real", folder / "link");
  EXPECT_EQ(files_in(folder.path()), (std::vector<std::string>{"link/x", "real/x"}));
  std::filesystem::create_directory_symlink("..", folder / "real/up");
  expect_error([&] { files_in(folder.path()); }, ExitCode::data, "links go in a circle");
  expect_error([&] { files_in(folder / "none"); }, ExitCode::io, "cannot read");
}

}  // namespace
}  // namespace finstill::base
