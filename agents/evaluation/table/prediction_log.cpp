#include "agents/evaluation/table/prediction_log.h"

#include <cstring>
#include <set>
#include <utility>

#include "memory/store/record.h"

namespace consort {
namespace {

constexpr const char* kFamily = "predictions";
constexpr std::uint8_t kKeyVersion = 1;
constexpr std::size_t kMostNameBytes = 1000;  // of a table; items and members may have as much

std::string prefix(const std::string& table, char what) {
  return RecordWriter().u8(kKeyVersion).u8(static_cast<std::uint8_t>(what)).key_text(table).take();
}

std::string row_key(const std::string& table, const PredictionRow& row) {
  return RecordWriter()
      .raw(prefix(table, 'r'))
      .key_text(row.member)
      .key_text(row.item)
      .key_text(row_fingerprint(row))
      .take();
}

std::string vector_key(const std::string& table, const std::string& name) {
  return RecordWriter().raw(prefix(table, 'v')).key_text(name).take();
}

Status check_names(const PredictionRow& row) {
  for (const std::string* name : {&row.item, &row.member})
    if (name->empty() || name->size() > 4 * kMostNameBytes)
      return fail(ErrorKind::kInvalid, "an item or member without name, or with one above 4000 bytes",
                  "prediction table");
  return {};
}

}  // namespace

Result<PredictionLog> PredictionLog::open(Store& store, std::string table) {
  if (table.empty() || table.size() > kMostNameBytes)
    return fail(ErrorKind::kInvalid, "a prediction table's name has 1 to 1000 bytes", table.substr(0, 60));
  if (!store.read_only()) CONSORT_CHECK_OK(store.ensure_family(kFamily));
  return PredictionLog(store, std::move(table));
}

Status PredictionLog::append(const std::vector<PredictionRow>& rows,
                             const std::vector<StoredVector>& vectors) {
  std::vector<StoreWrite> writes;
  std::set<std::string> seen;
  for (const PredictionRow& row : rows) {
    CONSORT_CHECK_OK(check_names(row));
    std::string key = row_key(table_, row);
    CONSORT_TRY(there, store_->get(kFamily, key));
    if (there || !seen.insert(key).second)
      return fail(ErrorKind::kInvalid, "this prediction is recorded already; rows are never replaced",
                  row.member + ", item " + row.item);
    writes.push_back({kFamily, std::move(key), encode_row(row)});
  }
  for (const StoredVector& vector : vectors) {
    std::string bytes(vector.values.size() * sizeof(float), '\0');
    if (!bytes.empty()) std::memcpy(bytes.data(), vector.values.data(), bytes.size());
    writes.push_back({kFamily, vector_key(table_, vector.name), std::move(bytes)});
  }
  return store_->commit(writes, Durability::kAsync);
}

Result<std::optional<PredictionRow>> PredictionLog::find(const PredictionRow& like) const {
  CONSORT_CHECK_OK(check_names(like));
  CONSORT_TRY(bytes, store_->get(kFamily, row_key(table_, like)));
  if (!bytes) return std::optional<PredictionRow>();
  CONSORT_TRY(row, decode_row(*bytes));
  return std::optional<PredictionRow>(std::move(row));
}

Result<std::vector<PredictionRow>> PredictionLog::rows() const {
  std::vector<PredictionRow> out;
  auto cursor = store_->scan(kFamily, prefix(table_, 'r'));
  for (; cursor.valid(); cursor.next()) {
    CONSORT_TRY(row, decode_row(cursor.value()));
    out.push_back(std::move(row));
  }
  CONSORT_CHECK_OK(cursor.status());
  return out;
}

Result<std::vector<float>> PredictionLog::vector(const std::string& name) const {
  CONSORT_TRY(bytes, store_->get(kFamily, vector_key(table_, name)));
  if (!bytes) return fail(ErrorKind::kNotFound, "the table has no vector of this name", name);
  if (bytes->size() % sizeof(float) != 0) return fail(ErrorKind::kCorrupt, "a damaged vector", name);
  std::vector<float> values(bytes->size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes->data(), bytes->size());
  if (vector_name(values) != name) return fail(ErrorKind::kCorrupt, "a damaged vector", name);
  return values;
}

}  // namespace consort
