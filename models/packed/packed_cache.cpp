#include "models/packed/packed_cache.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>

#include "models/packed/source_note.h"
#include "models/packed/weights_digest.h"

namespace consort {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPackedEnd = ".packed", kNoteEnd = ".note", kPartEnd = ".part";
constexpr std::size_t kDigestDigits = 32;
constexpr std::size_t kMaxNoteBytes = 1u << 20;
constexpr std::chrono::hours kPartAge{1};  // of a file whose writer must have died

// A name in the folder that no other writer uses.
std::string part_name(const std::string& folder) {
  static std::atomic<unsigned> count{0};
  return fmt::format("{}/{}-{}-{}{}", folder, ::getpid(),
                     std::chrono::steady_clock::now().time_since_epoch().count(), count++, kPartEnd);
}

std::optional<SourceNote> load_note(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text(kMaxNoteBytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return read_note(text);
}

// The version in "DIGEST[-VARIANT]-vNUMBER.packed", or nullopt for other names.
std::optional<std::uint32_t> version_of(std::string_view name) {
  if (!name.ends_with(kPackedEnd)) return std::nullopt;
  name.remove_suffix(kPackedEnd.size());
  const std::size_t at = name.rfind("-v");
  if (at == std::string_view::npos || at < kDigestDigits) return std::nullopt;
  name.remove_prefix(at + 2);
  std::uint32_t version = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), version, 16);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return version;
}

void remove_file(const std::string& path) {
  ::unlink(path.c_str());
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    names.push_back(at->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

bool old_part(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 &&
         std::chrono::system_clock::from_time_t(info.st_mtim.tv_sec) + kPartAge <
             std::chrono::system_clock::now();
}

}  // namespace

std::string PackedCache::path(std::string_view digest, std::string_view variant) const {
  return fmt::format("{}/{}{}{}-v{:08x}{}", options_.folder, digest, variant.empty() ? "" : "-", variant,
                     packed_layout_version(), kPackedEnd);
}

std::optional<std::string> PackedCache::noted_digest(const std::vector<FileIdentity>& files) const {
  const auto noted = noted_files(files);
  if (!noted) return std::nullopt;
  const auto note = load_note(options_.folder + "/" + note_name(*noted));
  if (!note || !note->settled || note->files != *noted) return std::nullopt;
  return note->digest;
}

void PackedCache::note(const std::vector<FileIdentity>& files, const std::string& digest,
                       std::chrono::system_clock::time_point begun) {
  auto noted = noted_files(files);
  if (!noted) return;
  const auto latest =
      std::chrono::duration_cast<std::chrono::nanoseconds>((begun - options_.settle).time_since_epoch())
          .count();
  SourceNote note{digest, true, std::move(*noted)};
  for (const FileIdentity& file : note.files)
    note.settled = note.settled && file.modified_ns <= latest && file.changed_ns <= latest;
  const std::string text = write_note(note);
  warn([&]() -> Status {
    CONSORT_CHECK_OK(make_folders(options_.folder));
    CONSORT_TRY(file, StagedFile::create(part_name(options_.folder)));
    CONSORT_CHECK_OK(file.append(text.data(), text.size()));
    return file.publish(options_.folder + "/" + note_name(note.files));
  }());
}

std::optional<PackedFile> PackedCache::open(std::string_view digest, std::string_view variant) const {
  auto file = PackedFile::open(path(digest, variant), digest);
  if (file) return std::move(*file);
  if (file.error().kind == ErrorKind::kCorrupt) remove(digest, variant);
  return std::nullopt;
}

void PackedCache::remove(std::string_view digest, std::string_view variant) const {
  remove_file(path(digest, variant));
}

void PackedCache::store(std::string_view digest, std::string_view variant,
                        std::span<const PackedPiece> pieces) {
  if (packed_file_bytes(pieces) < options_.least_bytes) return;
  warn(write(digest, variant, pieces));
  remove_orphans();
}

Status PackedCache::write(std::string_view digest, std::string_view variant,
                          std::span<const PackedPiece> pieces) const {
  CONSORT_CHECK_OK(make_folders(options_.folder));
  std::error_code error;
  const fs::space_info disk = fs::space(options_.folder, error);
  const std::uint64_t bytes = packed_file_bytes(pieces);
  if (error || disk.available < options_.spare_bytes || disk.available - options_.spare_bytes < bytes)
    return fail(ErrorKind::kIo, fmt::format("no room for {} MB more", bytes / 1'000'000), options_.folder);
  CONSORT_TRY(file, StagedFile::create(part_name(options_.folder)));
  CONSORT_CHECK_OK(write_packed(file, digest, pieces));
  return file.publish(path(digest, variant));
}

// A note whose files are gone or have changed goes, packed weights that no note names go, and so do those of
// an older version and what writers left that died. Newer versions belong to a newer program.
void PackedCache::remove_orphans() const {
  std::set<std::string, std::less<>> digests;
  const std::vector<std::string> names = names_in(options_.folder);
  for (const std::string& name : names) {
    const std::string path = options_.folder + "/" + name;
    if (name.ends_with(kPartEnd) && old_part(path)) remove_file(path);
    if (!name.ends_with(kNoteEnd)) continue;
    const auto note = load_note(path);
    if (note && are_unchanged(note->files))
      digests.insert(note->digest);
    else
      remove_file(path);
  }
  for (const std::string& name : names) {
    const auto version = version_of(name);
    if (!version || *version > packed_layout_version()) continue;
    if (*version < packed_layout_version() ||
        !digests.contains(std::string_view(name).substr(0, kDigestDigits)))
      remove_file(options_.folder + "/" + name);
  }
}

PackedCache::Checked PackedCache::check(const WeightSource& source) const {
  Checked out;
  const std::string digest = weights_digest(source);
  const auto noted = noted_files(source.identities());
  const std::string note_path = noted ? options_.folder + "/" + note_name(*noted) : "";
  if (const auto note = noted ? load_note(note_path) : std::nullopt; note && note->files == *noted) {
    out.noted = note->digest == digest;
    if (!out.noted) {
      remove_file(note_path);
      ++out.removed;
    }
  }
  for (const std::string& name : names_in(options_.folder)) {
    if (!name.starts_with(digest) || version_of(name) != packed_layout_version()) continue;
    const std::string path = options_.folder + "/" + name;
    const auto file = PackedFile::open(path, digest);
    if (file && file->check()) {
      ++out.good;
    } else {
      remove_file(path);
      ++out.removed;
    }
  }
  return out;
}

void PackedCache::warn(const Status& failed) {
  if (failed || !options_.warn || warned_.exchange(true)) return;
  options_.warn(failed.error().what + " (" + failed.error().where + ")");
}

}  // namespace consort
