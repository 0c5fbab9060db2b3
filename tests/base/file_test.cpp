#include "base/file.h"

#include "../support/temporary.h"
#include "base/failpoint.h"
#include "base/hash.h"
#include "base/mapped_file.h"
#include "expect_error.h"
#include "limit.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace finstill::base {
namespace {

using tests::expect_error;
using tests::read_text;
using tests::TemporaryFolder;
using tests::write_text;

TEST(File, AnAtomicFileIsWholeOrAbsent) {
  const TemporaryFolder folder;
  const auto file = folder / "目录/结果.txt";
  {
    AtomicFile out(file);
    out.write("half");
  }
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_TRUE(files_in(folder.path()).empty()) << "a temporary file was left";
  write_file_atomic(file, "first");
  std::string large(3 << 20, 'x');
  large += "end";
  write_file_atomic(file, large);
  EXPECT_EQ(read_text(file).size(), (3u << 20) + 3);
  EXPECT_EQ(files_in(folder.path()), std::vector<std::string>{"目录/结果.txt"});
}

TEST(File, AFullDiskLeavesTheOldFileAndNothingElse) {
  const TemporaryFolder folder;
  const auto file = folder / "state.bin";
  write_file_atomic(file, "old");
  tests::with_file_size_limit(1 << 20, [&] {
    expect_error([&] { write_file_atomic(file, std::string(3 << 20, 'x')); }, ExitCode::io,
                 "state.bin: cannot write");
  });
  EXPECT_EQ(read_text(file), "old");
  EXPECT_EQ(files_in(folder.path()), std::vector<std::string>{"state.bin"});
}

TEST(File, SystemErrorsSayWhatToDo) {
  expect_error([] { fail_errno(ENOSPC, "cannot write", "/a/b"); }, ExitCode::io,
               "/a/b: cannot write: No space left");
  expect_error([] { fail_errno(ENOSPC, "cannot write", "/a/b"); }, ExitCode::io, "free some space");
  expect_error([] { fail_errno(EROFS, "cannot write", "/a/b"); }, ExitCode::permission,
               "writable disk");
  expect_error([] { fail_errno(EACCES, "cannot open", "/a/b"); }, ExitCode::permission,
               "permissions");
  expect_error([] { check_free_space("/tmp/not/there", UINT64_MAX); }, ExitCode::io,
               "GB are needed");
  EXPECT_NO_THROW(check_free_space("/tmp/not/there", 1));
}

TEST(File, AReadOnlyFolderIsRefused) {
  if (::geteuid() == 0) {
    // Root writes everywhere but into /proc.
    expect_error([] { write_file_atomic("/proc/finstill.txt", "x"); }, ExitCode::io,
                 "/proc/finstill.txt: cannot write");
    return;
  }
  const TemporaryFolder folder;
  ::chmod(folder.path().c_str(), 0500);
  expect_error([&] { write_file_atomic(folder / "a.txt", "x"); }, ExitCode::permission,
               "a.txt: cannot write");
  ::chmod(folder.path().c_str(), 0700);
}

TEST(File, ReadingRefusesWhatIsNoFileAndWhatIsTooLarge) {
  const TemporaryFolder folder;
  write_text(folder / "ten.txt", "0123456789");
  EXPECT_EQ(read_file(folder / "ten.txt", 10), "0123456789");
  expect_error([&] { read_file(folder / "ten.txt", 9); }, ExitCode::data,
               "larger than the 9 bytes");
  expect_error([&] { read_file(folder.path()); }, ExitCode::io, "not a regular file");
  expect_error([&] { read_file(folder / "none"); }, ExitCode::io,
               "none: cannot open: No such file");
  expect_error([&] { read_file("/dev/zero"); }, ExitCode::io, "not a regular file");
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  expect_error([&] { read_file(folder / "fifo"); }, ExitCode::io, "not a regular file");
  expect_error([&] { MappedFile mapped(folder / "fifo"); }, ExitCode::io, "not a regular file");
  expect_error([&] { sha256_file(folder / "fifo"); }, ExitCode::io, "not a regular file");
  EXPECT_EQ(read_file("/proc/self/comm").empty(), false)
      << "files whose size is said to be 0 are read to their end";
}

TEST(File, ASecondRunInTheSameFolderIsRefusedAndNamed) {
  const TemporaryFolder folder;
  {
    const RunLock lock(folder.path());
    expect_error([&] { RunLock second(folder.path()); }, ExitCode::io,
                 "another run works in this folder (process " + std::to_string(::getpid()));
  }
  EXPECT_NO_THROW(RunLock(folder.path()));
}

TEST(File, RenamesAndRemovesDurably) {
  const TemporaryFolder folder;
  write_text(folder / "a", "1");
  make_folder(folder / "sub/deep");
  rename_durably(folder / "a", folder / "sub/deep/b");
  EXPECT_EQ(read_text(folder / "sub/deep/b"), "1");
  base::remove_all(folder / "sub");
  EXPECT_FALSE(std::filesystem::exists(folder / "sub"));
  EXPECT_NO_THROW(base::remove_all(folder / "sub"));
  expect_error([&] { rename_durably(folder / "none", folder / "x"); }, ExitCode::io,
               "cannot rename");
  write_text(folder / "file", "1");
  expect_error([&] { make_folder(folder / "file/sub"); }, ExitCode::io, "cannot make the folder");
}

TEST(MappedFile, ShowsTheBytesOfAFileAndNothingOfAnEmptyOne) {
  const TemporaryFolder folder;
  write_text(folder / "a", std::string(10000, 'a'));
  write_text(folder / "empty", "");
  MappedFile mapped(folder / "a");
  mapped.forget(0, 10000);
  EXPECT_EQ(mapped.bytes()[9999], std::byte{'a'});
  const MappedFile moved = std::move(mapped);
  EXPECT_EQ(moved.size(), 10000u);
  EXPECT_TRUE(MappedFile(folder / "empty").bytes().empty());
}

TEST(Failpoint, KillsAtTheNamedSiteOnItsCount) {
  // The setting is read when a program starts, so this test starts itself again, in the role of the
  // program.
  if (const char* role = std::getenv("FINSTILL_TEST_FOLDER")) {
    for (int i = 0; i < 3; ++i)
      write_file_atomic(std::filesystem::path(role) / std::to_string(i), "x");
    return;
  }
  const TemporaryFolder folder;
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const auto run = [&](const std::string& setting) {
    return std::system(
        fmt::format("FINSTILL_FAILPOINT={} FINSTILL_TEST_FOLDER='{}' '{}' "
                    "--gtest_filter=Failpoint.KillsAtTheNamedSiteOnItsCount >/dev/null 2>&1",
                    setting, folder.path().string(), program)
            .c_str());
  };
  EXPECT_NE(run("file.before_rename:2"), 0);
  EXPECT_TRUE(std::filesystem::exists(folder / "0"));
  EXPECT_FALSE(std::filesystem::exists(folder / "1"));
  EXPECT_EQ(run("file.before_rename:9"), 0);
  EXPECT_TRUE(std::filesystem::exists(folder / "2"));
}

}  // namespace
}  // namespace finstill::base
