// JSON to GraphDocument without building the JSON: a bomb of empty arrays costs nothing.
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "models/graph/graph_document.h"

namespace consort {
namespace {

constexpr std::size_t kMostDepth = 32;
constexpr std::size_t kUnset = static_cast<std::size_t>(-1);

// One list of rows while it is read.
struct Table {
  std::string key;
  GraphTable data;
  std::size_t columns = kUnset;  // known after the first row
  std::size_t in_row = 0;
  bool seen = false;
  bool rows_are_numbers = false;  // [1, 2, 3]: rows of one column
};

class Reader : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::string problem;  // set when parsing stopped
  std::map<std::string, Table> tables;
  bool undirected = false, undirected_seen = false;
  std::optional<std::size_t> num_nodes;

  bool null() override { return scalar("null"); }
  bool boolean(bool value) override {
    if (depth_ == 1 && key_ == "undirected") {
      if (std::exchange(undirected_seen, true)) return stop("the key 'undirected' stands twice");
      undirected = value;
      return true;
    }
    return scalar("true or false");
  }
  bool number_integer(number_integer_t value) override { return number(static_cast<double>(value)); }
  bool number_unsigned(number_unsigned_t value) override {
    if (depth_ == 1 && key_ == "num_nodes") {
      if (num_nodes) return stop("the key 'num_nodes' stands twice");
      num_nodes = value;
      return value <= kMostNodes || stop(fmt::format("{} nodes, the limit is {}", value, kMostNodes));
    }
    return number(static_cast<double>(value));
  }
  bool number_float(number_float_t value, const string_t&) override { return number(value); }
  bool string(string_t&) override { return scalar("a text"); }
  bool binary(binary_t&) override { return stop("binary data"); }

  bool start_object(std::size_t) override {
    if (depth_ == 0) return deeper();
    if (table_ != nullptr) return stop(fmt::format("'{}' holds an object", table_->key));
    if (skipping()) return deeper();
    return stop(fmt::format("'{}' is an object", key_));
  }
  bool end_object() override { return shallower(); }
  bool key(string_t& name) override {
    if (depth_ != 1) return true;
    key_ = known(name);
    if (key_.empty()) return stop(fmt::format("unknown key '{}'", name.substr(0, 40)));
    table_ = is_table(key_) ? &tables[key_] : nullptr;
    if (table_ != nullptr) {
      if (std::exchange(table_->seen, true)) return stop(fmt::format("the key '{}' stands twice", name));
      table_->key = name;
    }
    return true;
  }
  bool start_array(std::size_t) override {
    if (depth_ == 0) return stop("not an object");
    if (table_ == nullptr) return skipping() ? deeper() : stop(fmt::format("'{}' is a list", key_));
    if (depth_ == 2) {
      if (table_->rows_are_numbers) return ragged();
      table_->in_row = 0;
    }
    return depth_ < 3 ? deeper() : stop(fmt::format("'{}' is nested too deeply", table_->key));
  }
  bool end_array() override {
    if (table_ != nullptr && depth_ == 3 && !end_row()) return false;
    return shallower();
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& e) override {
    const bool range = std::string_view(e.what()).find("out_of_range") != std::string_view::npos;
    return stop(range ? fmt::format("a number too large at byte {}", position)
                      : fmt::format("not valid JSON at byte {}", position));
  }

 private:
  bool stop(std::string what) {
    if (problem.empty()) problem = std::move(what);
    return false;
  }
  bool ragged() {
    return stop(fmt::format("row {} of '{}' has another length than those before it", table_->data.rows,
                            table_->key));
  }
  bool deeper() { return ++depth_ <= kMostDepth || stop("nested too deeply"); }
  bool shallower() {
    if (--depth_ == 1) table_ = nullptr;
    return true;
  }
  bool skipping() const { return key_ == "skip"; }
  static bool is_table(const std::string& key) {
    return key != "skip" && key != "undirected" && key != "num_nodes";
  }
  static std::string known(const std::string& name) {
    if (name == "nodes" || name == "x") return "nodes";
    if (name == "edges" || name == "edge_index" || name == "undirected" || name == "num_nodes") return name;
    if (name == "edge_features" || name == "edge_attr") return "edge_features";
    if (name == "id" || name == "name" || name == "description" || name == "labels") return "skip";
    return {};
  }
  bool scalar(const char* what) {
    if (depth_ >= 1 && skipping()) return true;
    return depth_ == 0 ? stop("not an object") : stop(fmt::format("'{}' holds {}", key_, what));
  }
  bool number(double value) {
    if (table_ == nullptr || depth_ < 2) return scalar("a number");
    if (!(std::abs(value) <= kLargestFeature))
      return stop(fmt::format("row {} of '{}' holds {}, numbers go to {}", table_->data.rows, table_->key,
                              value, kLargestFeature));
    GraphTable& data = table_->data;
    if (data.values.size() >= kMostGraphNumbers)
      return stop(fmt::format("'{}' holds more than {} numbers", table_->key, kMostGraphNumbers));
    data.values.push_back(value);
    if (depth_ == 3) {
      ++table_->in_row;
      return true;
    }
    if (data.rows > 0 && !table_->rows_are_numbers) return ragged();
    table_->rows_are_numbers = true;
    table_->columns = 1;
    return count_row();
  }
  bool end_row() {
    if (table_->columns == kUnset) table_->columns = table_->in_row;
    return table_->columns == table_->in_row ? count_row() : ragged();
  }
  bool count_row() {
    const std::size_t limit = key_ == "nodes" ? kMostNodes : kMostEdges;
    if (++table_->data.rows <= limit) return true;
    return stop(fmt::format("'{}' has more than {} rows", table_->key, limit));
  }

  std::size_t depth_ = 0;
  std::string key_;
  Table* table_ = nullptr;
};

tl::unexpected<Error> refuse(std::string what) {
  return fail(ErrorKind::kInvalid, "graph: " + std::move(what));
}

Result<std::int32_t> node_number(double value, std::size_t row, std::size_t nodes) {
  if (value == std::floor(value) && value >= 0 && value < static_cast<double>(nodes))
    return static_cast<std::int32_t>(value);
  return refuse(fmt::format("row {} of the edges: node {} is not among 0 to {}", row, value, nodes - 1));
}

// `edges`: rows of two. `edge_index`: two rows.
Status take_edges(Reader& reader, GraphDocument& document) {
  const auto pairs = reader.tables.find("edges"), lists = reader.tables.find("edge_index");
  const bool has_pairs = pairs != reader.tables.end(), has_lists = lists != reader.tables.end();
  if (has_pairs && has_lists) return refuse("both 'edges' and 'edge_index'");
  if (!has_pairs && !has_lists) return {};
  const GraphTable& data = has_pairs ? pairs->second.data : lists->second.data;
  if (has_pairs && data.rows > 0 && pairs->second.columns != 2)
    return refuse("'edges' must be pairs of nodes");
  if (has_lists && data.rows != 2) return refuse("'edge_index' must be two lists of nodes");
  const std::size_t edges = has_pairs ? data.rows : lists->second.columns;
  if (edges > kMostEdges) return refuse(fmt::format("more than {} edges", kMostEdges));
  document.from.reserve(edges);
  document.to.reserve(edges);
  for (std::size_t e = 0; e < edges; ++e) {
    const double a = has_pairs ? data.values[2 * e] : data.values[e];
    const double b = has_pairs ? data.values[2 * e + 1] : data.values[edges + e];
    CONSORT_TRY(from, node_number(a, e, document.size()));
    CONSORT_TRY(to, node_number(b, e, document.size()));
    document.from.push_back(from);
    document.to.push_back(to);
  }
  return {};
}

// Each edge and its way back stand together, with the same features.
Status mirror_edges(GraphDocument& document) {
  if (document.from.size() > kMostEdges / 2) return refuse(fmt::format("more than {} edges", kMostEdges));
  GraphDocument both;
  const std::size_t columns = document.edge_features.columns;
  for (std::size_t e = 0; e < document.from.size(); ++e)
    for (int way = 0; way < (document.from[e] == document.to[e] ? 1 : 2); ++way) {
      both.from.push_back(way == 0 ? document.from[e] : document.to[e]);
      both.to.push_back(way == 0 ? document.to[e] : document.from[e]);
      if (document.edge_features.rows == 0) continue;
      const auto row = document.edge_features.values.begin() + static_cast<std::ptrdiff_t>(e * columns);
      both.edge_features.values.insert(both.edge_features.values.end(), row,
                                       row + static_cast<std::ptrdiff_t>(columns));
    }
  document.from = std::move(both.from);
  document.to = std::move(both.to);
  document.edge_features.values = std::move(both.edge_features.values);
  if (document.edge_features.rows > 0) document.edge_features.rows = document.from.size();
  return {};
}

Result<GraphDocument> assemble(Reader& reader) {
  GraphDocument document;
  Table& nodes = reader.tables["nodes"];
  if (!nodes.seen) return refuse("'nodes' is missing");
  document.nodes = std::move(nodes.data);
  document.nodes.columns = nodes.columns == kUnset ? 0 : nodes.columns;
  if (document.nodes.rows == 0) return refuse("no nodes");
  if (document.nodes.columns == 0) return refuse("nodes without features");
  if (reader.num_nodes && *reader.num_nodes != document.nodes.rows)
    return refuse(fmt::format("'num_nodes' is {}, but there are {}", *reader.num_nodes, document.nodes.rows));
  CONSORT_CHECK_OK(take_edges(reader, document));
  Table& features = reader.tables["edge_features"];
  if (features.seen && (features.data.rows != 0 || !document.from.empty())) {
    if (features.data.rows != document.from.size())
      return refuse(fmt::format("'{}' has {} rows for {} edges", features.key, features.data.rows,
                                document.from.size()));
    document.edge_features = std::move(features.data);
    document.edge_features.columns = features.columns == kUnset ? 0 : features.columns;
  }
  if (reader.undirected) CONSORT_CHECK_OK(mirror_edges(document));
  return document;
}

}  // namespace

Result<GraphDocument> read_graph_json(std::string_view text) {
  if (text.size() > kMostGraphBytes)
    return refuse(fmt::format("{} bytes of JSON, the limit is {}", text.size(), kMostGraphBytes));
  try {
    Reader reader;
    if (!nlohmann::json::sax_parse(text, &reader))
      return refuse(reader.problem.empty() ? "not valid JSON" : reader.problem);
    return assemble(reader);
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kMemory, "no memory for a graph");
  }
}

}  // namespace consort
