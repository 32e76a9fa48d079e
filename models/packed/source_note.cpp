#include "models/packed/source_note.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace consort {
namespace {

constexpr std::string_view kFirstLine = "consort source note 1";
constexpr std::size_t kDigestDigits = 32;

// The next line without its end, or nullopt; `text` goes on behind it.
std::optional<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

// "WORD rest": the rest, or nullopt when the line begins otherwise.
std::optional<std::string_view> after(std::optional<std::string_view> line, std::string_view word) {
  if (!line || !line->starts_with(word) || line->size() <= word.size() || (*line)[word.size()] != ' ')
    return std::nullopt;
  return line->substr(word.size() + 1);
}

template <typename Number>
bool take_number(std::string_view& text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end == text.data() + text.size() || *end != ' ') return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return true;
}

std::optional<FileIdentity> read_file_line(std::string_view text) {
  FileIdentity file;
  if (!take_number(text, file.device) || !take_number(text, file.inode) || !take_number(text, file.size) ||
      !take_number(text, file.modified_ns) || !take_number(text, file.changed_ns) || text.empty())
    return std::nullopt;
  file.path = std::string(text);
  return file;
}

std::string checksum(std::string_view text) {
  return fmt::format("{:016x}", XXH3_64bits(text.data(), text.size()));
}

bool is_digest(std::string_view text) {
  return text.size() == kDigestDigits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

std::optional<std::vector<FileIdentity>> noted_files(std::vector<FileIdentity> files) {
  for (FileIdentity& file : files) {
    std::error_code error;
    file.path = std::filesystem::absolute(file.path, error).lexically_normal().string();
    if (error || file.path.empty() || file.path.find('\n') != std::string::npos) return std::nullopt;
  }
  if (files.empty()) return std::nullopt;
  return files;
}

bool are_unchanged(const std::vector<FileIdentity>& files) {
  return std::all_of(files.begin(), files.end(), [](const FileIdentity& file) {
    struct stat info {};
    return ::stat(file.path.c_str(), &info) == 0 && file_identity(file.path, info) == file;
  });
}

std::string note_name(const std::vector<FileIdentity>& files) {
  std::string paths;
  for (const FileIdentity& file : files) paths += file.path + "\n";
  const XXH128_hash_t hash = XXH3_128bits(paths.data(), paths.size());
  return fmt::format("{:016x}{:016x}.note", hash.high64, hash.low64);
}

std::string write_note(const SourceNote& note) {
  std::string text = fmt::format("{}\ndigest {} {}\n", kFirstLine, note.digest, note.settled ? "settled" : "young");
  for (const FileIdentity& file : note.files)
    text += fmt::format("file {} {} {} {} {} {}\n", file.device, file.inode, file.size, file.modified_ns,
                        file.changed_ns, file.path);
  return text + "sum " + checksum(text) + "\n";
}

std::optional<SourceNote> read_note(std::string_view text) {
  const std::string_view whole = text;
  if (take_line(text) != kFirstLine) return std::nullopt;
  const auto digest = after(take_line(text), "digest");
  if (!digest || digest->size() <= kDigestDigits || !is_digest(digest->substr(0, kDigestDigits)))
    return std::nullopt;
  SourceNote note;
  note.digest = std::string(digest->substr(0, kDigestDigits));
  const std::string_view state = digest->substr(kDigestDigits);
  note.settled = state == " settled";
  if (!note.settled && state != " young") return std::nullopt;
  while (text.starts_with("file ")) {
    const auto line = after(take_line(text), "file");
    auto file = line ? read_file_line(*line) : std::nullopt;
    if (!file) return std::nullopt;
    note.files.push_back(std::move(*file));
  }
  const std::string_view summed = whole.substr(0, whole.size() - text.size());
  if (note.files.empty() || text != "sum " + checksum(summed) + "\n") return std::nullopt;
  return note;
}

}  // namespace consort
