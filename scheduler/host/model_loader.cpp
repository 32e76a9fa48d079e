#include "scheduler/host/model_loader.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "models/arch/registry.h"
#include "models/tokenizer/load_chat_template.h"
#include "scheduler/lane/lane.h"

namespace consort {
namespace {

std::string known_architectures() {
  std::string out;
  for (const Architecture& a : architectures()) out += (out.empty() ? "" : ", ") + a.name;
  return out;
}

// On the lane: packing uses its compute threads.
Status load_weights(const Architecture& arch, const ModelPlace& place, PackedCache* packed, LoadedModel& out,
                    Lane& lane) {
  const auto load = [&](Exec& exec) -> Result<bool> {
    LoadContext context{exec, lane.pool(), out.id, place.precision, packed, place.activations};
    if (arch.load_model != nullptr) {
      CONSORT_TRY(model, arch.load_model(out.source, context));
      out.model = std::move(model);
    } else {
      CONSORT_TRY(loaded, arch.load_network(out.source, out.tokenizer, context));
      out.network = std::move(loaded);
    }
    return true;
  };
  Result<Result<bool>> ran = lane.call([&](Exec& exec) -> Result<bool> {
    try {
      return load(exec);
    } catch (const std::bad_alloc&) {
      return fail(ErrorKind::kMemory, "no memory is left for the weights", out.id, "raise the memory limit");
    } catch (const std::exception& e) {
      return fail(ErrorKind::kRuntime, fmt::format("the weights cannot be loaded: {}", e.what()), out.id);
    }
  });
  if (!ran) return forward_error(ran);
  if (!*ran) return forward_error(*ran);
  return {};
}

// A network may read no text: a folder without a tokenizer is no error for it.
Status load_texts(const Architecture& arch, LoadedModel& out) {
  auto tokenizer = load_tokenizer(*out.source);
  if (!tokenizer && tokenizer.error().kind == ErrorKind::kNotFound && arch.load_network != nullptr) return {};
  if (!tokenizer) return forward_error(tokenizer);
  out.tokenizer = std::move(*tokenizer);
  if (arch.load_model == nullptr) return {};
  CONSORT_TRY(chat, load_chat_template(*out.source, *out.tokenizer));
  out.chat = std::move(chat);
  return {};
}

}  // namespace

ModelLoader make_model_loader(std::function<Result<ModelPlace>(const std::string& id)> resolve,
                              std::shared_ptr<PackedCache> packed) {
  return [resolve = std::move(resolve), packed = std::move(packed)](const std::string& id, Lane& lane) -> Result<LoadedModel> {
    const auto start = std::chrono::steady_clock::now();
    CONSORT_TRY(place, resolve(id));
    LoadedModel out;
    out.id = id;
    out.query_prefix = place.query_prefix;
    out.document_prefix = place.document_prefix;
    CONSORT_TRY(source, open_weights(place.path));
    out.source = std::move(source);
    const Architecture* arch = find_architecture(*out.source);
    if (arch == nullptr)
      return fail(ErrorKind::kUnsupported,
                  fmt::format("no architecture '{}' in this build", out.source->architecture()), place.path,
                  "this build has " + known_architectures());
    CONSORT_CHECK_OK(load_texts(*arch, out));
    CONSORT_CHECK_OK(load_weights(*arch, place, packed.get(), out, lane));
    out.load_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    return out;
  };
}

}  // namespace consort
