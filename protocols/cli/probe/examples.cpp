#include "protocols/cli/probe/examples.h"

#include <algorithm>
#include <utility>

#include "protocols/cli/commands/item_input.h"
#include "protocols/cli/commands/item_lines.h"

namespace consort {
namespace {

class RowEmbedder {
 public:
  RowEmbedder(CliContext& context, Engine& engine, const DataTable& table, const ItemColumn& items,
              const EmbedPlan& plan)
      : c_(context), engine_(engine), table_(table), items_(items), plan_(plan) {}

  Result<Examples> run(const std::vector<std::size_t>& rows) {
    Progress progress(c_.console, "embed", "rows");
    for (std::size_t first = 0; first < rows.size(); first += kBlockItems) {
      if (c_.stop.stop_requested()) return fail(ErrorKind::kCancelled, "interrupted", table_.file);
      const std::size_t end = std::min(first + kBlockItems, rows.size());
      CONSORT_CHECK_OK(block({rows.begin() + static_cast<std::ptrdiff_t>(first),
                              rows.begin() + static_cast<std::ptrdiff_t>(end)}));
      progress.update(end, rows.size());
    }
    if (out_.rows.empty() && !out_.failures.empty())
      return fail(ErrorKind::kInvalid, "no row could be embedded; the first: " + out_.failures[0].error.what,
                  table_.where(out_.failures[0].row, items_.column));
    return std::move(out_);
  }

 private:
  Status lose(std::size_t row, Error error) {
    if (error.where.find(table_.file) == std::string::npos) {
      if (!error.where.empty()) error.what += " (" + error.where + ")";
      error.where = table_.where(row, items_.column);
    }
    if (!plan_.skip_bad) {
      if (error.hint.empty()) error.hint = "--on-error skip leaves such rows out";
      return tl::unexpected<Error>(std::move(error));
    }
    out_.failures.push_back({row, std::move(error)});
    return {};
  }

  Status block(const std::vector<std::size_t>& rows) {
    std::vector<ModelInput> inputs;
    std::vector<std::size_t> kept;
    for (const std::size_t row : rows) {
      auto item = table_item(table_, row, items_);
      if (!item) {
        CONSORT_CHECK_OK(lose(row, std::move(item.error())));
        continue;
      }
      inputs.push_back(std::move(*item));
      kept.push_back(row);
    }
    if (kept.empty()) return {};
    CONSORT_TRY(answer, engine_.wait(probe_call::embed_side_by_side(
                            engine_.models(), plan_.models, std::move(inputs), plan_.input_type, plan_.level,
                            plan_.unit_length, engine_.request())));
    for (std::size_t i = 0; i < kept.size(); ++i) {
      if (const Error* error = answer.error_of(i)) {
        CONSORT_CHECK_OK(lose(kept[i], *error));
        continue;
      }
      out_.rows.push_back(kept[i]);
      out_.embeddings.push_back(std::move(answer.rows[i]));
      out_.truncated += answer.truncated[i];
      out_.encoders = answer.encoders;
      out_.dimension = answer.dimension;
    }
    return {};
  }

  CliContext& c_;
  Engine& engine_;
  const DataTable& table_;
  const ItemColumn& items_;
  const EmbedPlan& plan_;
  Examples out_;
};

}  // namespace

std::string guessed_item_kind(const std::string& column) {
  for (const char* kind : {"text", "smiles", "image", "file", "graph"})
    if (column == kind) return kind;
  return "text";
}

Result<ModelInput> table_item(const DataTable& table, std::size_t row, const ItemColumn& items) {
  const std::string where = table.where(row, items.column);
  Value cell = table.rows[row].get(items.column);
  if (cell.is_null() || (cell.is_string() && cell.as_string().empty()))
    return fail(ErrorKind::kInvalid, "the row has no item", where);
  if (items.kind == "graph" && cell.is_string()) {  // of a CSV file
    CONSORT_TRY(graph, parse_json(cell.as_string(), where));
    cell = std::move(graph);
  }
  return read_item(Value::object({{items.kind, std::move(cell)}}), where);
}

Result<Examples> embed_rows(CliContext& context, Engine& engine, const DataTable& table,
                            const ItemColumn& items, const std::vector<std::size_t>& rows,
                            const EmbedPlan& plan) {
  return RowEmbedder(context, engine, table, items, plan).run(rows);
}

}  // namespace consort
