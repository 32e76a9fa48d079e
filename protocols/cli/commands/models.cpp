// consort models list | show | pull | verify | inspect.
#include <cstdlib>
#include <filesystem>

#include "memory/base/text.h"
#include "protocols/cli/commands/commands.h"
#include "protocols/cli/commands/model_files.h"

namespace consort {
namespace {

struct Flags {
  std::string target;
  bool accept = false;
};

std::uint64_t total_bytes(const CatalogueEntry& e) {
  std::uint64_t sum = 0;
  for (const auto& f : e.files) sum += f.bytes;
  return sum;
}

Value summary(const Catalogue& catalogue, const CatalogueEntry& e) {
  return Value::object({{"id", e.id},
                        {"kind", e.kind},
                        {"architecture", e.architecture},
                        {"licence", e.licence},
                        {"bytes", total_bytes(e)},
                        {"present", catalogue.present(e)}});
}

Result<const CatalogueEntry*> entry(const Catalogue& catalogue, const std::string& id) {
  if (const CatalogueEntry* e = catalogue.find(id)) return e;
  std::string known;
  for (const auto& e : catalogue.entries()) known += (known.empty() ? "" : ", ") + e.id;
  return fail(ErrorKind::kNotFound, "no model '" + id + "' in the catalogue", "configs/models.json",
              "known: " + known);
}

Result<int> list(CliContext& c) {
  CONSORT_TRY(catalogue, open_catalogue(c));
  Value::Array rows;
  for (const auto& e : catalogue.entries()) rows.push_back(summary(catalogue, e));
  if (c.options.json) {
    c.console.result(Value::array(std::move(rows)));
    return 0;
  }
  for (const Value& row : rows) {
    char line[256];
    std::snprintf(line, sizeof line, "%-28s %-16s %7.1f MB  %-10s %s", row.get("id").as_string().c_str(),
                  row.get("kind").as_string().c_str(), row.get("bytes").as_number() / 1e6,
                  row.get("present").as_bool() ? "here" : "not here", row.get("licence").as_string().c_str());
    c.console.line(line);
  }
  c.console.note("fetch one with: consort models pull ID");
  return 0;
}

// Where a file comes from, in the order of the catalogue.
Value sources_value(const CatalogueFile& file) {
  Value::Array sources;
  for (const auto& s : file.sources) {
    using Kind = CatalogueSource::Kind;
    if (s.kind == Kind::kPypiMember)
      sources.push_back(Value::object({{"package", s.package + "==" + s.version}, {"member", s.member}}));
    else if (s.kind == Kind::kUrl)
      sources.push_back(Value::object({{"url", s.url}}));
    else
      sources.push_back(Value::object({{s.kind == Kind::kBundled ? "bundled" : "path", s.path}}));
  }
  return Value::array(std::move(sources));
}

Result<int> show(CliContext& c, const Flags& flags) {
  CONSORT_TRY(catalogue, open_catalogue(c));
  CONSORT_TRY(e, entry(catalogue, flags.target));
  Value::Array files;
  for (const auto& f : e->files) {
    Value::Object row{{"name", f.name}, {"role", f.role}, {"bytes", f.bytes}, {"sha256", f.sha256}};
    row.emplace_back("sources", sources_value(f));
    if (!f.parts.empty()) {
      Value::Array parts;
      for (const auto& part : f.parts)
        parts.push_back(Value::object(
            {{"bytes", part.bytes}, {"sha256", part.sha256}, {"sources", sources_value(part)}}));
      row.emplace_back("parts", Value::array(std::move(parts)));
    }
    files.push_back(Value::object(std::move(row)));
  }
  Value out = summary(catalogue, *e)
                  .with("folder", catalogue.folder(*e))
                  .with("files", Value::array(std::move(files)));
  if (!e->terms.empty()) out = out.with("terms", e->terms);
  c.console.line(c.options.json ? write_json(out) : write_json_pretty(out));
  return 0;
}

bool accepted(const CatalogueEntry& e, bool flag) {
  if (e.licence_key.empty() || flag) return true;
  const char* list = std::getenv("CONSORT_ACCEPT_LICENCES");
  return list && ("," + std::string(list) + ",").find("," + e.licence_key + ",") != std::string::npos;
}

// A progress bar for each file and stage.
Catalogue::ProgressFn bars(CliContext& c, std::unique_ptr<Progress>& bar, std::string& shown) {
  return [&c, &bar, &shown](const Catalogue::Progress& p) {
    const std::string label = p.stage + " " + p.file;
    if (label != shown) {
      bar.reset();
      bar = std::make_unique<Progress>(c.console, label, "B");
      shown = label;
    }
    bar->update(p.done, p.total);
    return !c.stop.stop_requested();
  };
}

Result<int> pull(CliContext& c, const Flags& flags) {
  CONSORT_TRY(catalogue, open_catalogue(c));
  CONSORT_TRY(e, entry(catalogue, flags.target));
  std::unique_ptr<Progress> bar;
  std::string shown;
  if (!catalogue.present(*e) && !e->terms.empty())
    c.console.note("   " + e->id + " is under its own terms: " + e->terms);
  CONSORT_TRY(fetched, catalogue.pull(*e, accepted(*e, flags.accept), bars(c, bar, shown)));
  bar.reset();
  c.console.note("   " + e->id + (fetched ? " is ready" : " is here already") + " (" + catalogue.folder(*e) +
                 ")");
  if (c.options.json)
    c.console.result(summary(catalogue, *e).with("folder", catalogue.folder(*e)).with("fetched", fetched));
  return 0;
}

// What a full check of the packed weights of a model's main file finds; nothing for models without weights.
Result<PackedCache::Checked> check_packed(CliContext& c, const Catalogue& catalogue,
                                          const CatalogueEntry& e) {
  const auto packed = packed_cache(c);
  if (!packed) return PackedCache::Checked{};
  CONSORT_TRY(path, catalogue.resolve(e.id));
  CONSORT_TRY(source, open_weights(path));
  return packed->check(*source);
}

Result<int> verify(CliContext& c, const Flags& flags) {
  CONSORT_TRY(catalogue, open_catalogue(c));
  CONSORT_TRY(e, entry(catalogue, flags.target));
  std::unique_ptr<Progress> bar;
  std::string shown;
  CONSORT_CHECK_OK(catalogue.verify(*e, bars(c, bar, shown)));
  bar.reset();
  const auto packed = check_packed(c, catalogue, *e).value_or(PackedCache::Checked{});
  if (c.options.json) {
    c.console.result(Value::object({{"id", e->id},
                                    {"verified", true},
                                    {"files", e->files.size()},
                                    {"packed", Value::object({{"good", packed.good}, {"removed", packed.removed}})}}));
    return 0;
  }
  c.console.line(e->id + ": every file has its digest");
  if (packed.good > 0) c.console.line("  packed weights: every digest is right");
  if (packed.removed > 0)
    c.console.line("  packed weights were damaged and are removed; the next load packs them anew");
  return 0;
}

Value dims_value(const TensorView& v) {
  Value::Array dims;
  for (int i = 0; i < v.rank; ++i) dims.emplace_back(v.dims[i]);
  return Value::array(std::move(dims));
}

Value meta_value(const MetaValue& m) {
  if (const auto* i = std::get_if<std::int64_t>(&m.value)) return *i;
  if (const auto* d = std::get_if<double>(&m.value)) return *d;
  if (const auto* b = std::get_if<bool>(&m.value)) return *b;
  if (const auto* s = std::get_if<std::string>(&m.value)) {
    bool replaced = false;
    return to_utf8(*s, replaced);
  }
  const auto& array = std::get<MetaValue::Array>(m.value);
  const std::size_t n = std::visit([](const auto& v) { return v.size(); }, array);
  return Value::object({{"items", n}});
}

Result<int> inspect(CliContext& c, const Flags& flags) {
  CONSORT_TRY(catalogue, open_catalogue(c));
  CONSORT_TRY(path, catalogue.resolve(flags.target));
  CONSORT_TRY(source, open_weights(path));
  Value::Object meta;
  for (const std::string& key : source->meta_keys()) meta.emplace_back(key, meta_value(*source->meta(key)));
  Value::Array tensors;
  for (const TensorEntry& t : source->tensors())
    tensors.push_back(Value::object({{"name", t.name},
                                     {"dtype", std::string(dtype_name(t.view.dtype))},
                                     {"dims", dims_value(t.view)},
                                     {"bytes", t.view.bytes()}}));
  const Value out = Value::object({{"file", path},
                                   {"format", source->format()},
                                   {"architecture", source->architecture()},
                                   {"mapped_bytes", source->mapped_bytes()},
                                   {"metadata", Value::object(std::move(meta))},
                                   {"tensors", Value::array(tensors)}});
  if (c.options.json) {
    c.console.json_line(out);
    return 0;
  }
  c.console.line(path + ": " + source->format() + ", " + source->architecture());
  for (const auto& [key, value] : out.get("metadata").as_object())
    c.console.line("  " + key + " = " + write_json(value));
  for (const Value& t : tensors)
    c.console.line("  " + t.get("name").as_string() + "  " + t.get("dtype").as_string() + " " +
                   write_json(t.get("dims")));
  return 0;
}

}  // namespace

void add_models(Command app, CliContext& c) {
  auto group = app.add_subcommand("models", "the catalogue: list | show | pull | verify | inspect");
  group.require_subcommand();
  auto flags = std::make_shared<Flags>();
  group.add_subcommand("list", "every model of the catalogue").callback([&c] {
    c.action = [&c] { return list(c); };
  });
  const auto add = [&](const char* name, const char* text, const char* what, auto act) {
    auto sub = group.add_subcommand(name, text);
    sub.add_option("id", flags->target, what).required();
    sub.callback([&c, flags, act] { c.action = [&c, flags, act] { return act(c, *flags); }; });
    return sub;
  };
  add("show", "one model: files, digests, licence", "model id", show);
  add("pull", "fetch a model's files and check their digests", "model id", pull)
      .add_flag("--accept-licence", flags->accept, "accept the model's terms of use");
  add("verify", "check the digests of a model's files", "model id", verify);
  add("inspect", "what is inside a weight file", "model id, file or folder", inspect);
}

}  // namespace consort
