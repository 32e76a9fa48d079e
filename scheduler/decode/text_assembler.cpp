#include "scheduler/decode/text_assembler.h"

#include <fmt/format.h>

#include <algorithm>

namespace consort {

Status check_stops(const std::vector<std::string>& stops) {
  if (stops.size() > kMaxStops)
    return fail(ErrorKind::kInvalid,
                fmt::format("{} stop strings, at most {} are allowed", stops.size(), kMaxStops));
  for (const auto& s : stops)
    if (s.empty() || s.size() > kMaxStopBytes)
      return fail(ErrorKind::kInvalid,
                  fmt::format("a stop string of {} bytes, 1 to {} are allowed", s.size(), kMaxStopBytes));
  return {};
}

std::size_t complete_utf8(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const auto c = static_cast<unsigned char>(text[text.size() - back]);
    if ((c & 0xC0) == 0x80) continue;  // a continuation byte: look for its lead
    const std::size_t need = c >= 0xF0 && c < 0xF8 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
    return need > back && c < 0xF8 ? text.size() - back : text.size();
  }
  return text.size();
}

bool TextAssembler::add(TokenId id, std::string_view bytes) {
  const std::size_t before = text_.size();
  starts_.push_back(before);
  ids_.push_back(id);
  text_ += bytes;
  std::size_t found = std::string::npos;
  for (const std::string& stop : stops_) {
    const std::size_t from = before >= stop.size() ? before - stop.size() + 1 : 0;
    found = std::min(found, text_.find(stop, from));
  }
  if (found == std::string::npos) return false;
  text_.resize(found);
  while (!starts_.empty() && starts_.back() >= found && taken_ids_ < ids_.size()) {
    starts_.pop_back();
    ids_.pop_back();
  }
  return true;
}

// Everything but the longest tail that begins a stop string, and but an incomplete character.
std::size_t TextAssembler::final_length() const {
  std::size_t hold = 0;
  for (const std::string& stop : stops_) {
    for (std::size_t n = std::min(stop.size() - 1, text_.size()); n > hold; --n) {
      if (std::string_view(text_).substr(text_.size() - n) == std::string_view(stop).substr(0, n)) {
        hold = n;
        break;
      }
    }
  }
  return complete_utf8(std::string_view(text_).substr(0, text_.size() - hold));
}

TextAssembler::Piece TextAssembler::take(bool all) {
  const std::size_t end = std::max(taken_bytes_, all ? text_.size() : final_length());
  Piece piece{std::string_view(text_).substr(taken_bytes_, end - taken_bytes_), {}};
  while (taken_ids_ < ids_.size()) {
    const std::size_t stop = taken_ids_ + 1 < ids_.size() ? starts_[taken_ids_ + 1] : text_.size();
    if (!all && stop > end) break;
    piece.ids.push_back(ids_[taken_ids_++]);
  }
  taken_bytes_ = end;
  return piece;
}

}  // namespace consort
