#include "protocols/cli/probe/csv.h"

#include <utility>

#include "memory/base/text.h"

namespace consort {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

CsvReader::CsvReader(std::string_view text, std::string where, char separator)
    : text_(text), where_(std::move(where)), separator_(separator) {
  if (text_.substr(0, kByteOrderMark.size()) == kByteOrderMark) at_ = kByteOrderMark.size();
}

tl::unexpected<Error> CsvReader::refuse(std::string what) const {
  return fail(ErrorKind::kInvalid, std::move(what),
              where_ + ", line " + std::to_string(line_) + ", field " + std::to_string(field_ + 1));
}

void CsvReader::skip_line_end() {
  at_ += text_[at_] == '\r' ? 2 : 1;
  ++line_;
}

// Behind the opening quote; up to and with the closing one.
Result<std::string> CsvReader::quoted() {
  std::string out;
  for (;;) {
    const std::size_t quote = text_.find('"', at_);
    if (quote == std::string_view::npos) return refuse("a quote that is not closed");
    for (const char c : text_.substr(at_, quote - at_)) line_ += c == '\n';
    out += text_.substr(at_, quote - at_);
    at_ = quote + 1;
    if (at_ >= text_.size() || text_[at_] != '"') break;
    out += '"';
    ++at_;
  }
  if (at_ < text_.size() && text_[at_] != separator_ && !at_line_end())
    return refuse("text behind a closing quote");
  return out;
}

Result<std::string> CsvReader::field() {
  if (at_ < text_.size() && text_[at_] == '"') {
    ++at_;
    return quoted();
  }
  const std::size_t begin = at_;
  for (; at_ < text_.size() && text_[at_] != separator_ && !at_line_end(); ++at_)
    if (text_[at_] == '"') return refuse("a quote inside a field that does not begin with one");
  return std::string(text_.substr(begin, at_ - begin));
}

Result<bool> CsvReader::next(std::vector<std::string>& fields) {
  fields.clear();
  while (at_ < text_.size() && at_line_end()) skip_line_end();
  if (at_ >= text_.size()) return false;
  record_line_ = line_;
  for (field_ = 0;; ++field_) {
    CONSORT_TRY(value, field());
    bool broken = false;
    to_utf8(value, broken);
    if (broken) return refuse("bytes that are not UTF-8");
    fields.push_back(std::move(value));
    if (at_ >= text_.size() || text_[at_] != separator_) break;
    ++at_;
  }
  if (at_ < text_.size()) skip_line_end();
  return true;
}

}  // namespace consort
