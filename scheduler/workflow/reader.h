// ObjectReader: reads one object of a document member by member and reports what does not belong there, so
// that every finding of a document is found in one pass.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/value/pointer.h"
#include "scheduler/workflow/duration.h"
#include "scheduler/workflow/finding.h"

namespace consort::workflow {

using Findings = std::vector<Finding>;
inline constexpr std::size_t kMaxFindings = 1000;  // a hostile document must not fill memory with findings

void add_finding(Findings& findings, std::string pointer, std::string message, std::string kind = "invalid");
std::string error_text(const Error& error);  // "what (where)"

class ObjectReader {
 public:
  // Reports when `value` is no object; then every take() finds nothing.
  ObjectReader(Findings& findings, const Value& value, std::string pointer);
  // Reports every member that was not taken.
  ~ObjectReader();
  ObjectReader(const ObjectReader&) = delete;
  ObjectReader& operator=(const ObjectReader&) = delete;

  bool is_object() const { return value_.is_object(); }
  bool has(std::string_view key) const { return value_.find(key) != nullptr; }
  const std::string& pointer() const { return pointer_; }
  std::string at(std::string_view key) const { return pointer_join(pointer_, key); }

  const Value* take(std::string_view key);  // nullptr when absent
  const Value* require(std::string_view key);
  // Absent or of the wrong type: nullopt (the latter reported).
  std::optional<std::string> text(std::string_view key, bool required = false);
  std::optional<bool> boolean(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most);
  std::optional<Duration> duration(std::string_view key, bool required = false);
  // The member is a word of the language that this build does not execute.
  void unsupported(std::string_view key);

  void report(std::string_view key, std::string message);  // at the member
  void report(std::string message);                        // at the object

 private:
  Findings& findings_;
  const Value& value_;
  std::string pointer_;
  std::vector<std::string_view> taken_;
};

}  // namespace consort::workflow
