#include "agents/calls/ingest.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "agents/calls/blocking.h"
#include "agents/calls/code_items.h"
#include "agents/calls/folder_reading.h"
#include "agents/calls/options.h"

namespace consort {
namespace {

namespace fs = std::filesystem;

struct SourceFile {
  fs::path path;
  std::string source;  // its name in the memory
};

constexpr std::uintmax_t kMaxCodeFileBytes = 1u << 20;  // larger ones are generated or data
const std::vector<std::string> kPictures{".jpg", ".jpeg", ".png", ".webp"};

bool wanted(const fs::path& path, const std::vector<std::string>& extensions) {
  return std::find(extensions.begin(), extensions.end(), path.extension().string()) != extensions.end();
}

// Without extensions every file that is no larger than a source file is.
Result<std::vector<SourceFile>> list_files(const std::string& path,
                                           const std::vector<std::string>& extensions, bool code) {
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
    if (code && it->is_directory(ignored) && is_foreign_folder(it->path().filename().string()))
      it.disable_recursion_pending();
    if (!it->is_regular_file(ignored)) continue;
    if (code ? it->file_size(ignored) > kMaxCodeFileBytes : !wanted(it->path(), extensions)) continue;
    files.push_back({it->path(), it->path().lexically_relative(path).generic_string()});
  }
  if (error) return fail(ErrorKind::kIo, "the folder cannot be read: " + error.message(), path);
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.source < b.source; });
  return files;
}

Result<std::string> read_bytes(const fs::path& path) {
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
  return text;
}

Result<std::string> read_text(const fs::path& path) {
  CONSORT_TRY(text, read_bytes(path));
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

// Commits what a file gave, in place of what it gave before.
Async<bool> replace_items(Retrieval& memory, std::string source, std::vector<NewItem> items,
                          RememberOptions remember, std::vector<StoreWrite> more,
                          const IngestOptions& options, IngestReport& report) {
  report.items += items.size();
  auto work = [&memory, source = std::move(source), list = std::move(items), remember, more = std::move(more),
               options]() -> Result<MemoryPlan> {
    CONSORT_TRY(plan, memory.plan_replace_source(options.name_space, source, list, remember));
    plan.writes.insert(plan.writes.end(), more.begin(), more.end());
    CONSORT_CHECK_OK(memory.commit(plan, options.durability));
    return plan;
  };
  auto done = co_await on_background_pool(std::move(work));
  if (!done) co_return forward_error(done);
  count(*done, report);
  co_return true;
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
    auto embedded =
        co_await embed_texts(*models, options.model, std::move(texts), "document", context, std::nullopt);
    if (!embedded) co_return forward_error(embedded);
    for (std::size_t i = 0; i < items.size(); ++i) items[i].embedding = std::move(embedded->vectors[i]);
    report.truncated +=
        static_cast<std::size_t>(std::count(embedded->truncated.begin(), embedded->truncated.end(), true));
    report.usage += embedded->usage;
    remember.space = embedded->space;
  }
  auto replacing = replace_items(memory, std::move(source), std::move(items), remember, {}, options, report);
  co_return co_await std::move(replacing);
}

// A file that is no source code is passed over; one that cannot be read is a failure of the report.
Async<bool> ingest_code(Retrieval& memory, ModelDirectory* models, const SourceFile& file,
                        const IngestOptions& options, RequestContext context, IngestReport& report) {
  auto reading = [path = file.path] { return read_bytes(path); };
  auto text = co_await on_background_pool(std::move(reading));
  if (!text) {
    report.failures.push_back({file.source, text.error()});
    co_return true;
  }
  std::vector<std::string> texts{*text}, names{file.source};
  auto asking = languages_of(models, options.classifier, std::move(texts), std::move(names), context);
  auto languages = co_await std::move(asking);
  if (!languages) co_return forward_error(languages);
  const std::string language = languages->front();
  if (language.empty() || text->find('\0') != std::string::npos) {
    ++report.passed_over;
    co_return true;
  }
  std::vector<NewItem> items = code_items(file.source, language, *text, options.code_split);
  auto taking = ingest_items(memory, models, file.source, std::move(items), options, context, report);
  if (auto done = co_await std::move(taking); !done) co_return forward_error(done);
  ++report.files;
  co_return true;
}

Result<Picture> read_picture(const SourceFile& file, BlobStore& blobs) {
  CONSORT_TRY(content, read_bytes(file.path));
  CONSORT_TRY(blob, make_blob(SharedBytes::of(std::move(content)), file.source));
  Picture picture;
  CONSORT_TRY(handle, blobs.put(std::move(blob)));
  picture.handle = std::move(handle);
  picture.item.external_id = file.source;
  picture.item.metadata["title"] = file.path.stem().string();
  picture.item.provenance.source = file.source;
  picture.item.provenance.task = "ingest";
  return picture;
}

// A picture that cannot be read is a failure of the report.
Async<bool> ingest_picture(Retrieval& memory, Projector& projector, const SourceFile& file,
                           const IngestOptions& options, RequestContext context, IngestReport& report) {
  auto reading = [file, blobs = options.blobs] { return read_picture(file, *blobs); };
  auto picture = co_await on_background_pool(std::move(reading));
  if (!picture) {
    report.failures.push_back({file.source, picture.error()});
    co_return true;
  }
  std::vector<Picture> one{std::move(*picture)};
  auto describing = describe_pictures(projector, *options.blobs, std::move(one), std::move(context));
  auto described = co_await std::move(describing);
  if (!described) co_return forward_error(described);
  report.usage += described->usage;
  if (described->pictures[0].error) {
    report.failures.push_back({file.source, *described->pictures[0].error});
    co_return true;
  }
  RememberOptions remember;
  remember.space = described->space;
  std::vector<NewItem> items{std::move(described->pictures[0].item)};
  auto replacing = replace_items(memory, file.source, std::move(items), remember,
                                 std::move(described->writes), options, report);
  if (auto done = co_await std::move(replacing); !done) co_return forward_error(done);
  options.blobs->mark_kept(described->pictures[0].handle);
  ++report.files;
  co_return true;
}

}  // namespace

Async<IngestReport> ingest_path(Retrieval& memory, ModelDirectory* models, std::string path,
                                IngestOptions options, RequestContext context) {
  IngestReport report;
  context.work_class = WorkClass::kBatch;
  const bool asks_models =
      !options.model.empty() || options.pictures || (options.code && !options.classifier.empty());
  if (models == nullptr && asks_models) co_return not_connected("ingest", "models");
  std::vector<std::string> extensions = options.extensions;
  std::unique_ptr<Projector> projector;
  if (options.pictures) {
    auto made = make_projector(*models, *options.pictures);
    if (!made) co_return forward_error(made);
    projector = std::move(*made);
    extensions.insert(extensions.end(), kPictures.begin(), kPictures.end());
  }
  auto listing = [path, extensions, code = options.code] { return list_files(path, extensions, code); };
  auto files = co_await on_background_pool(std::move(listing));
  if (!files) co_return forward_error(files);
  std::vector<std::string> found;
  for (const SourceFile& file : *files) found.push_back(file.source);
  FolderReading folder{memory, options.name_space, path, std::move(found), options.durability};
  auto beginning = [&folder] { return folder.begin(); };
  if (auto begun = co_await on_background_pool(std::move(beginning)); !begun) co_return forward_error(begun);
  for (const SourceFile& file : *files) {
    if (context.stop.stop_requested()) co_return fail(ErrorKind::kCancelled, "stopped", file.source);
    if (projector && wanted(file.path, kPictures)) {
      auto taking = ingest_picture(memory, *projector, file, options, context, report);
      if (auto done = co_await std::move(taking); !done) co_return forward_error(done);
      if (options.on_file) options.on_file(report.files + report.failures.size(), files->size());
      continue;
    }
    if (options.code) {
      auto taking = ingest_code(memory, models, file, options, context, report);
      if (auto done = co_await std::move(taking); !done) co_return forward_error(done);
      if (options.on_file)
        options.on_file(report.files + report.failures.size() + report.passed_over, files->size());
      continue;
    }
    auto reading = [file, split = options.split] { return read_items(file, split); };
    auto items = co_await on_background_pool(std::move(reading));
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
  auto ending = [&folder] { return folder.end(); };
  auto ended = co_await on_background_pool(std::move(ending));
  if (!ended) co_return forward_error(ended);
  report.erased += ended->erased;
  report.vanished = std::move(ended->sources);
  co_return report;
}

}  // namespace consort
