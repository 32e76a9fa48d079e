// From messages to passes over items: what networks do.
#include <fmt/format.h>

#include <utility>

#include "scheduler/host/host_core.h"
#include "scheduler/host/input_kind.h"
#include "scheduler/host/network_answers.h"

namespace consort {
namespace {

constexpr std::size_t kMaxItems = 4096;  // of one request, labels included

Status check_count(std::size_t items, const std::string& id) {
  if (items >= 1 && items <= kMaxItems) return {};
  return fail(ErrorKind::kInvalid, fmt::format("{} items, 1 to {} are allowed", items, kMaxItems), id);
}

std::string with_label(const std::string& prompt, const std::string& label) {
  const std::size_t at = prompt.find("{}");
  return at == std::string::npos ? prompt + label : prompt.substr(0, at) + label + prompt.substr(at + 2);
}

}  // namespace

Status HostCore::need_network(std::string_view op) const {
  if (network_) return {};
  if (!language_) return fail(ErrorKind::kUnavailable, "the model is not loaded", id, "acquire it first");
  return fail(ErrorKind::kUnsupported, fmt::format("the model is a language model, it does not {}", op), id,
              "choose a model that does");
}

Status HostCore::embed(const CallPtr& call, const WireRequest& request) {
  CONSORT_CHECK_OK(need_network("embed"));
  const NetworkInfo& info = network_->info();
  if (info.dimension == 0) return fail(ErrorKind::kUnsupported, "the model gives no embeddings", id);
  CONSORT_TRY(r, read_embed_request(request.request, request.tensors));
  CONSORT_CHECK_OK(check_count(r.inputs.size(), id));
  NetworkWork work;
  if (r.input_type == "query")
    work.text_prefix = model_.query_prefix;
  else if (r.input_type == "document")
    work.text_prefix = model_.document_prefix;
  else if (!r.input_type.empty())
    return fail(ErrorKind::kInvalid, fmt::format("input type '{}' is not query or document", r.input_type),
                id);
  const EmbeddingLevel level = r.level.value_or(info.level);
  if (level == EmbeddingLevel::kPart && level != info.level && !info.parts)
    return fail(ErrorKind::kUnsupported, "the model gives no embeddings of an item's parts", id);
  work.items = std::move(r.inputs);
  for (ModelInput& item : work.items) settle_kind(info, item);
  work.wants = {.embeddings = true, .level = level};
  run_network(network_, options_.workers, std::move(work), ticket(call, request),
              [answer = answering<EmbedResult>(call), engine = network_, level](Result<NetworkItems> items) {
                if (!items) return answer(forward_error(items));
                answer(embed_answer(engine->network(), std::move(*items), level));
              });
  return {};
}

Status HostCore::classify(const CallPtr& call, const WireRequest& request) {
  CONSORT_CHECK_OK(need_network("classify"));
  const NetworkInfo& info = network_->info();
  CONSORT_TRY(r, read_classify_request(request.request, request.tensors));
  CONSORT_CHECK_OK(check_count(r.inputs.size(), id));
  CONSORT_CHECK_OK(check_count(r.inputs.size() + r.labels.size(), id));
  if (!r.labels.empty()) return zero_shot(call, request, std::move(r));
  if (info.classes == 0 || takes(info, InputKind::kPair))
    return fail(ErrorKind::kUnsupported, "the model has no classes of its own", id,
                info.joint ? "give labels" : "choose a classifier");
  auto asked = std::make_shared<ClassifyRequest>(std::move(r));
  NetworkWork work;
  work.items = asked->inputs;
  for (ModelInput& item : work.items) settle_kind(info, item);
  work.wants = {.logits = true};
  work.skip_decided = !asked->logits;
  run_network(
      network_, options_.workers, std::move(work), ticket(call, request),
      [answer = answering<ClassifyResult>(call), engine = network_, asked](Result<NetworkItems> items) {
        if (!items) return answer(forward_error(items));
        answer(classify_answer(engine->network(), std::move(*items), *asked));
      });
  return {};
}

Status HostCore::zero_shot(const CallPtr& call, const WireRequest& request, ClassifyRequest r) {
  const NetworkInfo& info = network_->info();
  if (!info.joint || info.dimension == 0 || !takes(info, InputKind::kText))
    return fail(ErrorKind::kUnsupported, "the model has no space that labels and inputs share", id,
                "leave the labels out, or choose a model such as CLIP");
  auto asked = std::make_shared<ClassifyRequest>(std::move(r));
  NetworkWork work;
  work.items = asked->inputs;
  for (ModelInput& item : work.items) settle_kind(info, item);
  std::string key;
  for (const std::string& label : asked->labels) key += with_label(asked->prompt, label) + '\0';
  std::shared_ptr<const LabelRows> known;
  {
    std::lock_guard lock(known_labels_.mutex);
    if (known_labels_.key == key) known = known_labels_.rows;
  }
  for (std::size_t l = 0; !known && l < asked->labels.size(); ++l) {
    work.items.emplace_back();
    work.items.back().text = with_label(asked->prompt, asked->labels[l]);
  }
  work.wants = {.embeddings = true};
  run_network(network_, options_.workers, std::move(work), ticket(call, request),
              [self = shared_from_this(), answer = answering<ClassifyResult>(call), engine = network_, asked,
               key, known](Result<NetworkItems> items) {
                if (!items) return answer(forward_error(items));
                std::shared_ptr<const LabelRows> labels = known;
                if (!labels) {
                  auto rows = label_rows(engine->network(), *items, asked->inputs.size());
                  if (!rows) return answer(forward_error(rows));
                  labels = std::make_shared<const LabelRows>(std::move(*rows));
                  std::lock_guard lock(self->known_labels_.mutex);
                  self->known_labels_.key = key;
                  self->known_labels_.rows = labels;
                }
                answer(zero_shot_answer(engine->network(), std::move(*items), *asked, *labels));
              });
  return {};
}

Status HostCore::rerank(const CallPtr& call, const WireRequest& request) {
  CONSORT_CHECK_OK(need_network("rerank"));
  const NetworkInfo& info = network_->info();
  if (info.classes != 1 || !takes(info, InputKind::kPair))
    return fail(ErrorKind::kUnsupported, "the model does not judge pairs of texts", id, "choose a reranker");
  CONSORT_TRY(r, read_rerank_request(request.request));
  CONSORT_CHECK_OK(check_count(r.pairs.size(), id));
  NetworkWork work;
  work.items.resize(r.pairs.size());
  for (std::size_t i = 0; i < r.pairs.size(); ++i) {
    work.items[i].kind = InputKind::kPair;
    work.items[i].text = std::move(r.pairs[i].query);
    work.items[i].passage = std::move(r.pairs[i].passage);
  }
  work.wants = {.logits = true};
  run_network(network_, options_.workers, std::move(work), ticket(call, request),
              [answer = answering<RerankResult>(call), engine = network_](Result<NetworkItems> items) {
                if (!items) return answer(forward_error(items));
                answer(rerank_answer(engine->network(), std::move(*items)));
              });
  return {};
}

}  // namespace consort
