// CSV as RFC 4180 has it: fields with commas, doubled quotes and line ends inside quotes; LF or CRLF between
// records; a byte order mark at the start is passed over.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "memory/base/status.h"

namespace consort {

// Reads a text record by record. The text must outlive it.
class CsvReader {
 public:
  // `where`: what errors call the text (its file). `separator`: ',' or, for TSV, a tab.
  CsvReader(std::string_view text, std::string where, char separator = ',');

  // The next record's fields; false at the end. Empty lines are passed over. Errors: kInvalid with the line
  // and the field: a quote inside an unquoted field, text behind a closing quote, a quote that is not closed,
  // bytes that are not UTF-8.
  Result<bool> next(std::vector<std::string>& fields);
  std::size_t line() const { return record_line_; }  // where the record began, from 1

 private:
  Result<std::string> field();
  Result<std::string> quoted();
  tl::unexpected<Error> refuse(std::string what) const;
  bool at_line_end() const { return text_[at_] == '\n' || text_.substr(at_, 2) == "\r\n"; }
  void skip_line_end();

  std::string_view text_;
  const std::string where_;
  const char separator_;
  std::size_t at_ = 0, line_ = 1, record_line_ = 1, field_ = 0;
};

}  // namespace consort
