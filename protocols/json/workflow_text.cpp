#include "protocols/json/workflow_text.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <tuple>

#include "protocols/json/duplicate_keys.h"

namespace consort {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kMaxDocumentBytes = 16u << 20;

Result<std::string> read_text(const std::string& path) {
  std::error_code ec;
  if (!fs::exists(path, ec))
    return fail(ErrorKind::kNotFound, "no such workflow document", path, "check the path");
  if (!fs::is_regular_file(path, ec)) return fail(ErrorKind::kInvalid, "a workflow document is a file", path);
  if (fs::file_size(path, ec) > kMaxDocumentBytes)
    return fail(ErrorKind::kInvalid, "the workflow document is larger than 16 MiB", path);
  std::ifstream in(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) return fail(ErrorKind::kIo, "the workflow document cannot be read", path, "check its permissions");
  return text;
}

// "1.10.0" -> {1, 10, 0}: later versions sort behind earlier ones.
std::vector<std::uint64_t> version_numbers(const std::string& version) {
  std::vector<std::uint64_t> numbers{0};
  for (char c : version) {
    if (c == '.')
      numbers.push_back(0);
    else if (c >= '0' && c <= '9')
      numbers.back() = numbers.back() * 10 + static_cast<std::uint64_t>(c - '0');
    else
      break;
  }
  return numbers;
}

}  // namespace

WorkflowParse read_workflow(std::string_view text, const CallKinds& kinds, WorkflowSource* source) {
  auto json = parse_json(text);
  if (json) return Workflow::parse(*json, kinds, source);
  WorkflowParse parse;
  DuplicateKeys duplicates = find_duplicate_keys(text);
  if (!duplicates.pointers.empty()) {
    if (duplicates.document) parse = Workflow::parse(*duplicates.document, kinds, source);
    parse.workflow = nullptr;
    for (std::string& pointer : duplicates.pointers)
      parse.findings.push_back({std::move(pointer), "invalid", "this key stands twice in its object"});
    return parse;
  }
  std::string message = json.error().what;
  if (!json.error().where.empty()) message += " (" + json.error().where + ")";
  parse.findings.push_back({"", "invalid", std::move(message)});
  return parse;
}

Result<WorkflowParse> read_workflow_file(const std::string& path, const CallKinds& kinds,
                                         WorkflowSource* source) {
  CONSORT_TRY(text, read_text(path));
  return read_workflow(text, kinds, source);
}

struct FolderWorkflows::Impl {
  std::string folder;
  std::shared_ptr<const CallKinds> kinds;
  FolderWorkflows* self = nullptr;
  std::vector<std::string> opening;  // files being read: one that leads back to itself is refused
  std::map<std::string, WorkflowPtr> read;

  struct Candidate {
    std::string file, version;
  };

  // Files of the folder whose document has this name, by looking at `document` only.
  std::vector<Candidate> candidates(std::string_view space, std::string_view name) const {
    std::vector<Candidate> out;
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(folder, ec)) {
      if (entry.path().extension() != ".json" || !entry.is_regular_file(ec)) continue;
      auto text = read_text(entry.path().string());
      if (!text) continue;
      auto json = parse_json(*text);
      const Value head = json ? json->get("document") : Value();
      const auto is = [&](const char* key, std::string_view wanted) {
        const Value* v = head.find(key);
        return v && v->is_string() && v->as_string() == wanted;
      };
      if (!is("name", name) || (!space.empty() && !is("namespace", space))) continue;
      const Value version = head.get("version");
      out.push_back({entry.path().string(), version.is_string() ? version.as_string() : ""});
    }
    std::sort(out.begin(), out.end(), [](const Candidate& a, const Candidate& b) {
      const auto left = version_numbers(a.version), right = version_numbers(b.version);
      return left != right ? left < right : std::tie(a.version, a.file) < std::tie(b.version, b.file);
    });
    return out;
  }

  Result<WorkflowPtr> open(const std::string& file) {
    if (const auto found = read.find(file); found != read.end()) return found->second;
    if (std::find(opening.begin(), opening.end(), file) != opening.end())
      return fail(ErrorKind::kInvalid, "the workflow runs itself by way of this one", file,
                  "break the circle of run.workflow");
    opening.push_back(file);
    auto parse = read_workflow_file(file, *kinds, self);
    opening.pop_back();
    if (!parse) return forward_error(parse);
    if (parse->workflow == nullptr) return tl::unexpected(findings_error(parse->findings, file));
    return read[file] = parse->workflow;
  }
};

FolderWorkflows::FolderWorkflows(std::string folder, std::shared_ptr<const CallKinds> kinds)
    : impl_(std::make_unique<Impl>()) {
  impl_->folder = std::move(folder);
  impl_->kinds = std::move(kinds);
  impl_->self = this;
}
FolderWorkflows::~FolderWorkflows() = default;

Result<WorkflowPtr> FolderWorkflows::find(std::string_view space, std::string_view name,
                                          std::string_view version) {
  auto all = impl_->candidates(space, name);
  if (!version.empty() && version != "latest")
    std::erase_if(all, [&](const auto& c) { return c.version != version; });
  if (all.empty())
    return fail(ErrorKind::kNotFound, "no workflow '" + std::string(name) + "' is there", impl_->folder,
                "put its document beside this one");
  return impl_->open(all.back().file);
}

std::string workflow_schema_text(const CallKinds& kinds) {
  return write_json_pretty(workflow_schema(kinds));
}

}  // namespace consort
