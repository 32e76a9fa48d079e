// SourceNote: which digest the weights in some files have, kept so that the files need not be read again to
// know it. A note holds while the system says of every file what it said when the digest was computed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/formats/file_identity.h"

namespace consort {

struct SourceNote {
  std::string digest;  // 32 hex digits
  // False when a file had changed so shortly before its digest was computed that a later change could bear
  // the same time stamp. Such a note keeps packed weights from being removed, but nobody takes its digest.
  bool settled = false;
  std::vector<FileIdentity> files;  // with absolute paths
};

// The same with absolute paths; nullopt when a path cannot be written into a note (it holds a line break).
std::optional<std::vector<FileIdentity>> noted_files(std::vector<FileIdentity> files);
// Whether the system says of every file what it said then.
bool are_unchanged(const std::vector<FileIdentity>& files);
// A name for the note of these files, made of their paths. REQUIRES: absolute paths.
std::string note_name(const std::vector<FileIdentity>& files);

// Text, one line a fact, the last one a checksum.
std::string write_note(const SourceNote& note);
// nullopt for everything that write_note() would not have written.
std::optional<SourceNote> read_note(std::string_view text);

}  // namespace consort
