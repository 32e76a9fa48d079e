#include "protocols/cli/eval/evaluate.h"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "agents/evaluation/analysis/analysis.h"
#include "agents/evaluation/report/figure.h"
#include "agents/evaluation/report/page.h"
#include "agents/evaluation/run/recorder.h"
#include "agents/evaluation/table/table_export.h"
#include "kernels/cpu/isa.h"
#include "protocols/cli/engine.h"
#include "protocols/cli/write_file.h"

namespace consort {
namespace {

constexpr std::size_t kMostTaskBytes = std::size_t{1} << 30;
constexpr int kMostCopies = 16;  // of the best member, for the control of the same compute

class EvalCommand {
 public:
  EvalCommand(CliContext& context, const EvalFlags& flags) : c_(context), f_(flags) {}

  Result<int> run() {
    CONSORT_CHECK_OK(read());
    CONSORT_CHECK_OK(record());
    CONSORT_CHECK_OK(plan());
    CONSORT_CHECK_OK(write_tables());
    CONSORT_CHECK_OK(analyse());
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
        if (!imported_.contains(row.member)) imported_order_.push_back(row.member);
        imported_[row.member][row.variant].push_back(std::move(row));
      }
    }
    members_ = f_.members;
    if (members_.empty()) members_ = imported_order_;
    if (members_.empty())
      return fail(ErrorKind::kUsage, "neither --members nor --import is given", "consort eval");
    if (std::set<std::string>(members_.begin(), members_.end()).size() != members_.size())
      return fail(ErrorKind::kUsage, "a member stands twice", "--members");
    request_.task = &task_;
    request_.combine = f_.combine;
    request_.seed = seed();
    return check_strategies(request_);
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
      CONSORT_TRY(made, table_of(member, table_.back()));
      request_.members.push_back(std::move(made));
    }
    return prepare(request_);
  }

  Result<MemberTable> table_of(const std::string& name, const std::vector<PredictionRow>& rows) {
    return member_table(task_, name, rows,
                        [this](const std::string& vector) { return log_->vector(vector); });
  }

  // The best member of the fit split is asked again in other words, as often as the ensemble's compute pays
  // for.
  Status plan() {
    if (f_.control == "none") {
      request_.no_control = "--control none";
      return {};
    }
    ControlPlan control = plan_control(request_, kMostCopies);
    request_.no_control = control.why;
    if (control.copies == 0) return {};
    if (const auto at = imported_.find(control.member); at != imported_.end()) {
      while (control.copies > 1 && !at->second.contains(control.copies - 1)) --control.copies;
      if (control.copies < 2) {
        request_.no_control = "the best member's rows were imported, it cannot be asked again";
        return {};
      }
    }
    for (int variant = 0; variant < control.copies; ++variant) {
      const auto own = static_cast<std::size_t>(std::find(members_.begin(), members_.end(), control.member) -
                                                members_.begin());
      if (variant > 0) {
        CONSORT_TRY(rows, rows_of(control.member, variant));
        table_.push_back(std::move(rows));
      }
      CONSORT_TRY(made, table_of(fmt::format("{} #{}", control.member, variant + 1),
                                 variant == 0 ? table_[own] : table_.back()));
      request_.control.push_back(std::move(made));
    }
    return prepare(request_);
  }

  Result<std::vector<PredictionRow>> rows_of(const std::string& member, int variant) {
    if (const auto at = imported_.find(member); at != imported_.end()) {
      const auto rows = at->second.find(variant);
      if (rows != at->second.end()) return imported_rows(rows->second);
      return fail(ErrorKind::kInvalid, fmt::format("no rows of variant {} were imported", variant), member);
    }
    RecordRequest request;
    request.member = member;
    request.variant = variant;
    request.seed = seed() + static_cast<std::uint64_t>(variant);
    const char* what = task_.kind == TaskKind::kAnswer ? "sample" : "wording";
    Progress progress(c_.console, variant == 0 ? member : fmt::format("{}, {} {}", member, what, variant + 1),
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
      if (at == by_item.end() && item.split == kTrainSplit) continue;
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
    std::filesystem::create_directories(std::filesystem::path(f_.out) / "plots", error);
    if (error) return fail(ErrorKind::kIo, "cannot make the folder: " + error.message(), f_.out);
    std::vector<PredictionRow> all;
    for (const auto& rows : table_) all.insert(all.end(), rows.begin(), rows.end());
    CONSORT_CHECK_OK(write("predictions.jsonl", table_json_lines(all)));
    CONSORT_CHECK_OK(write("predictions.csv", table_csv(all)));
    CONSORT_TRY(npz, table_npz(all, [&](const std::string& name) { return log_->vector(name); }));
    CONSORT_CHECK_OK(write("predictions.npz", npz));
    return write("timings.csv", timings_csv(all));
  }

  Status analyse() {
    CONSORT_TRY(contest, make_contest(request_));
    Progress progress(c_.console, "intervals and tests", "steps");
    JudgeOptions options;
    options.resamples = f_.resamples;
    options.seed = seed();
    options.progress = [&](std::size_t done, std::size_t total) { progress.update(done, total); };
    CONSORT_TRY(results, judge(contest, task_, options));
    progress.finish();
    const Value json = to_value(results);
    const std::vector<Figure> figures = evaluation_figures(contest, results);
    CONSORT_CHECK_OK(write("results.json", write_json_pretty(json) + "\n"));
    CONSORT_CHECK_OK(write("measures.csv", measures_csv(results)));
    CONSORT_CHECK_OK(write("comparisons.csv", comparisons_csv(results)));
    for (const Figure& figure : figures) {
      CONSORT_CHECK_OK(write("plots/" + figure.name + ".svg", figure.drawing.svg(figure.title, true)));
      CONSORT_CHECK_OK(write("plots/" + figure.name + ".csv", figure.csv));
    }
    CONSORT_CHECK_OK(write("report.html", evaluation_page(results, figures)));
    if (c_.console.json())
      c_.console.result(json);
    else
      c_.console.out(results_text(results));
    c_.console.note("report: " + (std::filesystem::path(f_.out) / "report.html").string());
    return {};
  }

  CliContext& c_;
  const EvalFlags& f_;
  Task task_;
  std::vector<std::string> members_;
  std::vector<std::string> imported_order_;  // of members, as they come in the files
  std::map<std::string, std::map<int, std::vector<PredictionRow>>> imported_;  // by member and variant
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<PredictionLog> log_;
  std::unique_ptr<EvaluationHost> host_;
  // [member, then copies of the best one][item]; a deque: the request holds pointers to rows
  std::deque<std::vector<PredictionRow>> table_;
  AnalysisRequest request_;
};

}  // namespace

Result<int> run_eval(CliContext& context, const EvalFlags& flags) {
  return EvalCommand(context, flags).run();
}

}  // namespace consort
