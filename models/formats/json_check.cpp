#include "models/formats/json_check.h"

#include <nlohmann/json.hpp>
#include <string>
#include <unordered_set>
#include <vector>

#include "models/formats/byte_reader.h"

namespace consort {
namespace {

// The library's event interface: every call returns false to stop.
class Checker final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Checker(std::size_t max_depth) : max_depth_(max_depth) {}
  const std::string& problem() const { return problem_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return enter(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool key(string_t& name) override {
    if (keys_.back().insert(name).second) return true;
    problem_ = "has the key '" + name.substr(0, 80) + "' twice in one object";
    return false;
  }
  bool parse_error(std::size_t byte, const std::string&, const nlohmann::detail::exception&) override {
    problem_ = "is not valid JSON (byte " + std::to_string(byte) + ")";
    return false;
  }

 private:
  bool enter() {
    keys_.emplace_back();
    if (keys_.size() <= max_depth_) return true;
    problem_ = "is nested deeper than " + std::to_string(max_depth_) + " levels";
    return false;
  }
  bool leave() {
    keys_.pop_back();
    return true;
  }

  std::size_t max_depth_;
  std::vector<std::unordered_set<std::string>> keys_;
  std::string problem_;
};

}  // namespace

void check_json(std::string_view text, std::size_t max_depth, std::string_view what) {
  Checker checker(max_depth);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &checker))
    throw FormatError(ErrorKind::kCorrupt, std::string(what) + " " + checker.problem());
}

}  // namespace consort
