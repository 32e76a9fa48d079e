#include "protocols/cli/options.h"

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "kernels/exec/thread_pool.h"
#include "kernels/matmul/activation_format.h"
#include "scheduler/value/value.h"

namespace consort {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// An XDG base directory: $NAME, or $HOME/<fallback>.
std::string xdg(const char* name, const char* fallback) {
  std::string dir = environment(name);
  if (dir.empty() || dir.front() != '/') dir = environment("HOME") + "/" + fallback;
  return dir + "/consort";
}

Status wrong(const std::string& file, const std::string& pointer, const std::string& what) {
  return fail(ErrorKind::kInvalid, what, file + "#" + pointer, "see configs/README.md for the keys");
}

Status read_bytes(const Value& v, std::uint64_t& out, const std::string& file, const std::string& pointer) {
  if (v.is_integer() && v.as_integer() > 0) {
    out = static_cast<std::uint64_t>(v.as_integer());
    return {};
  }
  if (!v.is_string()) return wrong(file, pointer, "expected a size such as \"8 GiB\"");
  auto bytes = parse_bytes(v.as_string());
  if (!bytes) return wrong(file, pointer, bytes.error().what);
  out = *bytes;
  return {};
}

Status read_limits(const Value& v, Options& o, const std::string& file) {
  if (!v.is_object()) return wrong(file, "/limits", "expected an object");
  for (const auto& [key, value] : v.as_object()) {
    const std::string at = "/limits/" + key;
    if (key == "valueBytes") {
      CONSORT_CHECK_OK(read_bytes(value, o.value_bytes, file, at));
    } else if (key == "queueRequests") {
      if (!value.is_integer() || value.as_integer() < 1 || value.as_integer() > 1 << 20)
        return wrong(file, at, "expected an integer from 1 to 1048576");
      o.queue_requests = static_cast<int>(value.as_integer());
    } else {
      return wrong(file, at, "unknown key");
    }
  }
  return {};
}

Status read_text(const Value& v, std::string& out, const std::string& file, const std::string& pointer) {
  if (!v.is_string()) return wrong(file, pointer, "expected a string");
  if (out.empty()) out = v.as_string();
  return {};
}

Status read_member(const std::string& key, const Value& v, Options& o, const std::string& file) {
  const std::string at = "/" + key;
  if (key == "modelsDir") return read_text(v, o.models_dir, file, at);
  if (key == "dataDir") return read_text(v, o.data_dir, file, at);
  if (key == "device") return read_text(v, o.device, file, at);
  if (key == "precision") return read_text(v, o.precision, file, at);
  if (key == "activations") return read_text(v, o.activations, file, at);
  if (key == "packedCache") return read_text(v, o.packed_cache, file, at);
  if (key == "memoryLimit") return read_bytes(v, o.memory_limit, file, at);
  if (key == "kvBudget") return read_bytes(v, o.kv_budget, file, at);
  if (key == "limits") return read_limits(v, o, file);
  if (key == "threads") {
    if (!v.is_integer() || v.as_integer() < 0 || v.as_integer() > 1024)
      return wrong(file, at, "expected an integer from 0 (all cores) to 1024");
    if (o.threads == 0) o.threads = static_cast<int>(v.as_integer());
    return {};
  }
  return wrong(file, at, "unknown key");
}

Status read_config(const std::string& file, Options& o) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(ErrorKind::kNotFound, "cannot read the configuration", file, "check --config");
  std::stringstream text;
  text << in.rdbuf();
  CONSORT_TRY(doc, parse_json(text.str(), file));
  if (!doc.is_object()) return wrong(file, "", "expected an object");
  for (const auto& [key, value] : doc.as_object()) CONSORT_CHECK_OK(read_member(key, value, o, file));
  return {};
}

}  // namespace

Result<std::uint64_t> parse_bytes(const std::string& text) {
  double number = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string unit(end.ptr, text.data() + text.size());
  unit.erase(0, unit.find_first_not_of(' ') == std::string::npos ? unit.size() : unit.find_first_not_of(' '));
  double scale = 0;
  for (const auto& [name, factor] : {std::pair{"", 1.0}, {"B", 1.0}, {"KiB", 1024.0}, {"MiB", 1048576.0},
                                     {"GiB", 1073741824.0}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}})
    if (unit == name) scale = factor;
  const double bytes = number * scale;
  if (end.ec != std::errc() || scale == 0 || !(bytes >= 1) || bytes > 1e15)
    return fail(ErrorKind::kInvalid, "'" + text + "' is not a size such as \"8 GiB\"");
  return static_cast<std::uint64_t>(bytes);
}

std::string find_project_dir() {
  std::error_code ec;
  fs::path dir = fs::read_symlink("/proc/self/exe", ec).parent_path();
  for (int up = 0; up < 4 && !ec && !dir.empty(); ++up, dir = dir.parent_path()) {
    if (fs::exists(dir / "configs" / "models.json", ec)) return dir.string();
    const fs::path installed = dir / "share" / "consort";
    if (fs::exists(installed / "configs" / "models.json", ec)) return installed.string();
  }
  return {};
}

Status resolve_options(Options& o) {
  o.project_dir = find_project_dir();
  if (o.models_dir.empty()) o.models_dir = environment("CONSORT_MODELS_DIR");
  if (o.data_dir.empty()) o.data_dir = environment("CONSORT_DATA_DIR");
  if (!o.config_file.empty()) {
    CONSORT_CHECK_OK(read_config(o.config_file, o));
  } else {
    std::error_code ec;
    const std::string user = xdg("XDG_CONFIG_HOME", ".config") + "/consort.json";
    const std::string shipped = o.project_dir + "/configs/consort.json";
    // The shipped file first for its limits; text and thread settings keep the first value that was given, so
    // the user's file is read first for those and again last for its limits.
    const bool has_user = fs::exists(user, ec);
    if (has_user) CONSORT_CHECK_OK(read_config(user, o));
    if (!o.project_dir.empty() && fs::exists(shipped, ec)) CONSORT_CHECK_OK(read_config(shipped, o));
    if (has_user) CONSORT_CHECK_OK(read_config(user, o));
  }
  if (o.models_dir.empty()) o.models_dir = xdg("XDG_CACHE_HOME", ".cache") + "/models";
  if (o.data_dir.empty()) o.data_dir = xdg("XDG_DATA_HOME", ".local/share");
  if (o.device.empty()) o.device = "auto";
  if (o.device != "auto" && o.device != "cpu")
    return fail(ErrorKind::kUnsupported, "device '" + o.device + "' is not in this build", "--device",
                "use --device cpu");
  if (o.precision.empty()) o.precision = "file";
  if (o.precision != "file" && o.precision != "int16")
    return fail(ErrorKind::kUsage, "precision '" + o.precision + "' is not known", "--precision",
                "use --precision file or --precision int16");
  if (o.activations.empty()) o.activations = "int16";
  if (!activation_of(o.activations))
    return fail(ErrorKind::kUsage, "activations '" + o.activations + "' are not known", "--activations",
                "use --activations int16, int8, bf16 or float32");
  if (o.packed_cache.empty()) o.packed_cache = "on";
  if (o.packed_cache != "on" && o.packed_cache != "off" && o.packed_cache != "check")
    return fail(ErrorKind::kUsage, "packed cache '" + o.packed_cache + "' is not known", "--packed-cache",
                "use --packed-cache on, off or check");
  if (o.threads < 0 || o.threads > 1024)
    return fail(ErrorKind::kUsage, "the number of threads must be from 1 to 1024", "--threads", "use --threads 2");
  if (o.threads == 0) o.threads = usable_cores();
  return {};
}

}  // namespace consort
