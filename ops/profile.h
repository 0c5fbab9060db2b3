#pragma once

// Where time goes, by operation: listens to LibTorch's own record of what runs, which every
// operation of the library writes and ours write with RECORD_FUNCTION. A Profile
// slows what it listens to; without one the cost is a branch a call.

#include <cstdint>
#include <string>
#include <vector>

namespace finstill::ops {

/// All calls of one operation, matrix products apart by their shapes.
struct OperationTime {
  std::string name;  ///< "aten::mm [512,576]x[576,1536]", "finstill::rope", "RmsNorm backward"
  std::int64_t calls = 0;
  double seconds = 0;  ///< without what the operations that it called took
  double flops = 0;    ///< of matrix products, a multiply-add counted as two; 0 = not known
  double bytes = 0;    ///< of the tensors that go in; 0 = not known
};

/// Listens from its construction to stop(). One at a time in a process.
class Profile {
 public:
  Profile();
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  /// Ends it: the operations heard, those that took longest first.
  std::vector<OperationTime> stop();

 private:
  std::uint64_t listener_ = 0;
  bool listening_ = true;
};

}  // namespace finstill::ops
