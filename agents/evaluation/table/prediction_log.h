// PredictionLog: the prediction rows of one task in the store, append-only. Column family "predictions":
//   1 'r' table, member, item, fingerprint -> row        (prediction_row.h)
//   1 'v' table, vector's name             -> float32 values, little-endian
// A row that was asked under another prompt, other weights, another wording or seed stands beside the earlier
// one; nothing is ever overwritten.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agents/evaluation/table/prediction_row.h"
#include "memory/store/store.h"

namespace consort {

// Holds the store by reference. Any thread may read; one thread appends.
class PredictionLog {
 public:
  // `table`: the task's name, 1 to 1000 bytes. Errors: kInvalid; those of Store::ensure_family.
  static Result<PredictionLog> open(Store& store, std::string table);

  // All rows and vectors in one commit. Errors: kInvalid when a row with this item, member and fingerprint is
  // there already or stands twice in the list; those of Store::commit.
  Status append(const std::vector<PredictionRow>& rows, const std::vector<StoredVector>& vectors = {});
  // The row that was recorded under the same conditions (fingerprint of `like`), if any.
  Result<std::optional<PredictionRow>> find(const PredictionRow& like) const;
  // Every row, by member, item and fingerprint in byte order.
  Result<std::vector<PredictionRow>> rows() const;
  // Errors: kNotFound, kCorrupt.
  Result<std::vector<float>> vector(const std::string& name) const;

 private:
  PredictionLog(Store& store, std::string table) : store_(&store), table_(std::move(table)) {}
  Store* store_;
  std::string table_;
};

}  // namespace consort
