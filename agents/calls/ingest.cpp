#include "agents/calls/ingest.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "agents/calls/blocking.h"
#include "agents/calls/options.h"

namespace consort {
namespace {

namespace fs = std::filesystem;

struct SourceFile {
  fs::path path;
  std::string source;  // its name in the memory
};

bool wanted(const fs::path& path, const std::vector<std::string>& extensions) {
  return std::find(extensions.begin(), extensions.end(), path.extension().string()) != extensions.end();
}

Result<std::vector<SourceFile>> list_files(const std::string& path,
                                           const std::vector<std::string>& extensions) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    return fail(ErrorKind::kNotFound, "there is no such file or folder", path,
                "give a folder of notes or one file");
  }
  std::vector<SourceFile> files;
  if (!fs::is_directory(path, error)) {
    files.push_back({path, fs::path(path).filename().generic_string()});
    return files;
  }
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (!it->is_regular_file(ignored) || !wanted(it->path(), extensions)) continue;
    files.push_back({it->path(), it->path().lexically_relative(path).generic_string()});
  }
  if (error) return fail(ErrorKind::kIo, "the folder cannot be read: " + error.message(), path);
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.source < b.source; });
  return files;
}

Result<std::string> read_text(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error) return fail(ErrorKind::kIo, "the file cannot be read: " + error.message(), path.string());
  if (size > kMaxIngestFileBytes) {
    return fail(ErrorKind::kInvalid,
                fmt::format("the file has {} bytes; at most {} are read", size, kMaxIngestFileBytes),
                path.string(), "split it");
  }
  std::string text(static_cast<std::size_t>(size), '\0');
  std::ifstream in(path, std::ios::binary);
  if (!in.read(text.data(), static_cast<std::streamsize>(text.size()))) {
    return fail(ErrorKind::kIo, "the file cannot be read", path.string());
  }
  if (text.find('\0') != std::string::npos) {
    return fail(ErrorKind::kInvalid, "the file is not text", path.string());
  }
  return text;
}

Result<std::vector<NewItem>> read_items(const SourceFile& file, const SplitOptions& split) {
  CONSORT_TRY(text, read_text(file.path));
  std::vector<NewItem> items;
  for (TextPiece& piece : split_text(text, split)) {
    NewItem item;
    item.external_id = fmt::format("{}#{}", file.source, piece.position);
    item.text = std::move(piece.text);
    item.metadata["title"] = std::move(piece.title);
    if (!piece.section.empty()) item.metadata["section"] = std::move(piece.section);
    item.metadata["position"] = static_cast<std::int64_t>(piece.position);
    item.metadata["line"] = static_cast<std::int64_t>(piece.line);
    item.provenance.source = file.source;
    item.provenance.task = "ingest";
    items.push_back(std::move(item));
  }
  return items;
}

void count(const MemoryPlan& plan, IngestReport& report) {
  for (const ItemOutcome& item : plan.items) {
    report.created += item.change == ItemChange::kCreated;
    report.updated += item.change == ItemChange::kUpdated;
    report.unchanged += item.change == ItemChange::kUnchanged || item.change == ItemChange::kDuplicate;
    report.erased += item.change == ItemChange::kErased;
  }
}

// Which model made the vectors of a text does not change with the text's neighbours, so files embed one by
// one.
Async<bool> ingest_items(Retrieval& memory, ModelDirectory* models, std::string source,
                         std::vector<NewItem> items, const IngestOptions& options, RequestContext context,
                         IngestReport& report) {
  RememberOptions remember;
  if (!options.model.empty() && !items.empty()) {
    std::vector<std::string> texts;
    for (const NewItem& item : items) texts.push_back(item.text);
    auto embedded = co_await embed_texts(*models, options.model, std::move(texts), "document", context);
    if (!embedded) co_return forward_error(embedded);
    for (std::size_t i = 0; i < items.size(); ++i) items[i].embedding = std::move(embedded->vectors[i]);
    report.truncated +=
        static_cast<std::size_t>(std::count(embedded->truncated.begin(), embedded->truncated.end(), true));
    report.usage.prompt_tokens += embedded->usage.prompt_tokens;
    report.usage.prefill_ms += embedded->usage.prefill_ms;
    report.usage.flop += embedded->usage.flop;
    report.usage.bytes += embedded->usage.bytes;
    remember.space = embedded->space;
  }
  report.items += items.size();
  auto work = [&memory, source = std::move(source), list = std::move(items), remember,
               options]() -> Result<MemoryPlan> {
    CONSORT_TRY(plan, memory.plan_replace_source(options.name_space, source, list, remember));
    CONSORT_CHECK_OK(memory.commit(plan, options.durability));
    return plan;
  };
  auto done = co_await on_blocking_pool(std::move(work));
  if (!done) co_return forward_error(done);
  count(*done, report);
  co_return true;
}

}  // namespace

Async<IngestReport> ingest_path(Retrieval& memory, ModelDirectory* models, std::string path,
                                IngestOptions options, RequestContext context) {
  IngestReport report;
  if (models == nullptr && !options.model.empty()) co_return not_connected("ingest", "models");
  auto listing = [path, extensions = options.extensions] { return list_files(path, extensions); };
  auto files = co_await on_blocking_pool(std::move(listing));
  if (!files) co_return forward_error(files);
  for (const SourceFile& file : *files) {
    if (context.stop.stop_requested()) co_return fail(ErrorKind::kCancelled, "stopped", file.source);
    auto reading = [file, split = options.split] { return read_items(file, split); };
    auto items = co_await on_blocking_pool(std::move(reading));
    if (!items) {
      report.failures.push_back({file.source, items.error()});
      continue;
    }
    auto done =
        co_await ingest_items(memory, models, file.source, std::move(*items), options, context, report);
    if (!done) co_return forward_error(done);
    ++report.files;
    if (options.on_file) options.on_file(report.files + report.failures.size(), files->size());
  }
  co_return report;
}

}  // namespace consort
