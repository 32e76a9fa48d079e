#include "protocols/json/duplicate_keys.h"

#include <set>

#include <nlohmann/json.hpp>

#include "scheduler/value/pointer.h"

namespace consort {
namespace {

constexpr std::size_t kMaxDepth = 200;  // as the strict reader

// Walks the events of the parser and keeps where it is.
class Scanner : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<std::string> duplicates;

  bool null() override { return scalar(); }
  bool boolean(bool) override { return scalar(); }
  bool number_integer(number_integer_t) override { return scalar(); }
  bool number_unsigned(number_unsigned_t) override { return scalar(); }
  bool number_float(number_float_t, const string_t&) override { return scalar(); }
  bool string(string_t&) override { return scalar(); }
  bool binary(binary_t&) override { return scalar(); }
  bool start_object(std::size_t) override { return open(false); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(true); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    Level& level = levels_.back();
    level.here = pointer_join(level.pointer, name);
    if (!level.keys.insert(name).second) duplicates.push_back(level.here);
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  struct Level {
    std::string pointer, here;  // of the container, of the member that comes
    bool array = false;
    std::size_t index = 0;
    std::set<std::string> keys;
  };
  bool open(bool array) {
    if (levels_.size() >= kMaxDepth) return false;
    Level level;
    level.array = array;
    level.pointer = levels_.empty() ? std::string() : place(levels_.back());
    levels_.push_back(std::move(level));
    return true;
  }
  bool close() {
    levels_.pop_back();
    return scalar();
  }
  bool scalar() {
    if (!levels_.empty() && levels_.back().array) ++levels_.back().index;
    return true;
  }
  static std::string place(const Level& level) {
    return level.array ? pointer_join(level.pointer, level.index) : level.here;
  }
  std::vector<Level> levels_;
};

}  // namespace

DuplicateKeys find_duplicate_keys(std::string_view text) {
  DuplicateKeys found;
  Scanner scanner;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &scanner)) return found;
  found.pointers = std::move(scanner.duplicates);
  if (found.pointers.empty()) return found;
  const auto merged = nlohmann::ordered_json::parse(text.begin(), text.end(), nullptr, false);
  if (merged.is_discarded()) return found;
  const std::string plain = merged.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  if (Result<Value> value = parse_json(plain)) found.document = std::move(*value);
  return found;
}

}  // namespace consort
