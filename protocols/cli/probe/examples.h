// The rows of a table as a probe sees them: items embedded by the models, in blocks.
#pragma once

#include <string>
#include <vector>

#include "agents/calls/probe/probing.h"
#include "protocols/cli/engine.h"
#include "protocols/cli/probe/data_table.h"

namespace consort {

// Where a table's items stand and what they are.
struct ItemColumn {
  std::string column;
  std::string kind;  // text | smiles | image | file | graph
};

// The kind that `column` names itself, or "text".
std::string guessed_item_kind(const std::string& column);

// A row's item. Errors: kInvalid (no item, not the kind's JSON type), kNotFound and kIo for a named file.
Result<ModelInput> table_item(const DataTable& table, std::size_t row, const ItemColumn& items);

struct RowFailure {
  std::size_t row = 0;
  Error error;
};

struct Examples {
  std::vector<ProbeEncoder> encoders;
  std::size_t dimension = 0;                   // of the models together
  std::vector<std::size_t> rows;               // the table's rows whose items were embedded, ascending
  std::vector<std::vector<float>> embeddings;  // of each of them [parts, dimension]; level item: one part
  std::vector<RowFailure> failures;            // rows that were left out
  std::size_t truncated = 0;                   // items that a model's limit cut
};

struct EmbedPlan {
  std::vector<std::string> models;
  std::string input_type;
  EmbeddingLevel level = EmbeddingLevel::kItem;
  bool unit_length = true;
  bool skip_bad = false;  // leave rows out that cannot be read or embedded; else the first one is the error
};

// Embeds the items of `rows` in blocks, with a progress bar. Errors: those of the rows (with row, line and
// column) unless they are left out, those of the models, kCancelled.
Result<Examples> embed_rows(CliContext& context, Engine& engine, const DataTable& table,
                            const ItemColumn& items, const std::vector<std::size_t>& rows,
                            const EmbedPlan& plan);

}  // namespace consort
