#include "protocols/cli/eval/evaluate.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "agents/evaluation/run/recorder.h"
#include "agents/evaluation/table/table_export.h"
#include "kernels/cpu/isa.h"
#include "protocols/cli/engine.h"
#include "protocols/cli/write_file.h"

namespace consort {
namespace {

constexpr std::size_t kMostTaskBytes = std::size_t{1} << 30;

class EvalCommand {
 public:
  EvalCommand(CliContext& context, const EvalFlags& flags) : c_(context), f_(flags) {}

  Result<int> run() {
    CONSORT_CHECK_OK(read());
    CONSORT_CHECK_OK(record());
    CONSORT_CHECK_OK(write_tables());
    return 0;
  }

 private:
  std::uint64_t seed() const { return c_.options.seed.value_or(0); }

  Status read() {
    CONSORT_TRY(text, read_file(f_.task, kMostTaskBytes));
    std::string header;
    if (!f_.header.empty()) {
      CONSORT_TRY(given, read_file(f_.header, kMostTaskBytes));
      header = std::move(given);
    }
    TaskReading reading = read_task(text, header, std::filesystem::path(f_.task).parent_path().string());
    if (!reading.findings.empty()) return tl::unexpected<Error>(findings_error(reading.findings, f_.task));
    task_ = std::move(reading.task);
    task_.chat = task_.chat || f_.chat;
    if (f_.limit > 0) draw_items(task_, static_cast<std::size_t>(f_.limit), seed());
    CONSORT_CHECK_OK(deal_splits(task_, f_.fit_fraction, seed()));
    return check_members();
  }

  Status check_members() {
    for (const std::string& file : f_.imports) {
      CONSORT_TRY(text, read_file(file, kMostTaskBytes));
      CONSORT_TRY(rows, table_from_json_lines(text, file));
      for (PredictionRow& row : rows) {
        if (f_.limit > 0 && !has_item(row.item)) continue;  // not drawn
        imported_[row.member].push_back(std::move(row));
      }
    }
    members_ = f_.members;
    if (members_.empty())
      for (const auto& entry : imported_) members_.push_back(entry.first);
    if (members_.empty())
      return fail(ErrorKind::kUsage, "neither --members nor --import is given", "consort eval");
    if (std::set<std::string>(members_.begin(), members_.end()).size() != members_.size())
      return fail(ErrorKind::kUsage, "a member stands twice", "--members");
    return {};
  }

  bool has_item(const std::string& id) const {
    return std::any_of(task_.items.begin(), task_.items.end(),
                       [&](const TaskItem& item) { return item.id == id; });
  }

  Status record() {
    EngineSetup setup;
    setup.store = true;
    CONSORT_TRY(engine, Engine::start(c_, setup));
    engine_ = std::move(engine);
    CONSORT_TRY(log, PredictionLog::open(engine_->store(), task_.name));
    log_ = std::make_unique<PredictionLog>(std::move(log));
    const auto isa = isa_from_name(c_.options.isa);
    host_ = std::make_unique<EvaluationHost>(EvaluationHost{engine_->models(), engine_->io(),
                                                            [this] { return engine_->request(); },
                                                            std::string(isa_name(isa.value_or(best_isa())))});
    for (const std::string& member : members_) {
      CONSORT_TRY(rows, rows_of(member, 0));
      table_.push_back(std::move(rows));
    }
    return {};
  }

  Result<std::vector<PredictionRow>> rows_of(const std::string& member, int variant) {
    if (const auto at = imported_.find(member); at != imported_.end()) return imported_rows(at->second);
    RecordRequest request;
    request.member = member;
    request.variant = variant;
    request.seed = seed() + static_cast<std::uint64_t>(variant);
    Progress progress(c_.console, variant == 0 ? member : fmt::format("{}, wording {}", member, variant + 1),
                      "items");
    auto rows = record_member(*host_, *log_, task_, request,
                              [&](std::size_t done, std::size_t total) { progress.update(done, total); });
    if (rows) progress.finish();
    return rows;
  }

  // In the task's order; every item must be there.
  Result<std::vector<PredictionRow>> imported_rows(const std::vector<PredictionRow>& rows) {
    CONSORT_TRY(complete, import_rows(*log_, task_, rows));
    std::map<std::string, PredictionRow> by_item;
    for (PredictionRow& row : complete) by_item.emplace(row.item, std::move(row));
    std::vector<PredictionRow> ordered;
    for (const TaskItem& item : task_.items) {
      const auto at = by_item.find(item.id);
      if (at == by_item.end())
        return fail(ErrorKind::kInvalid, "the imported rows lack an item of the task",
                    rows.front().member + ", item " + item.id);
      ordered.push_back(std::move(at->second));
    }
    return ordered;
  }

  Status write(const std::string& name, std::string_view bytes) {
    return write_file((std::filesystem::path(f_.out) / name).string(), bytes);
  }

  Status write_tables() {
    std::error_code error;
    std::filesystem::create_directories(f_.out, error);
    if (error) return fail(ErrorKind::kIo, "cannot make the folder: " + error.message(), f_.out);
    std::vector<PredictionRow> all;
    for (const auto& rows : table_) all.insert(all.end(), rows.begin(), rows.end());
    CONSORT_CHECK_OK(write("predictions.jsonl", table_json_lines(all)));
    CONSORT_CHECK_OK(write("predictions.csv", table_csv(all)));
    CONSORT_TRY(npz, table_npz(all, [&](const std::string& name) { return log_->vector(name); }));
    CONSORT_CHECK_OK(write("predictions.npz", npz));
    return write("timings.csv", timings_csv(all));
  }

  CliContext& c_;
  const EvalFlags& f_;
  Task task_;
  std::vector<std::string> members_;
  std::map<std::string, std::vector<PredictionRow>> imported_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<PredictionLog> log_;
  std::unique_ptr<EvaluationHost> host_;
  std::vector<std::vector<PredictionRow>> table_;  // [member][item]
};

}  // namespace

Result<int> run_eval(CliContext& context, const EvalFlags& flags) {
  return EvalCommand(context, flags).run();
}

}  // namespace consort
