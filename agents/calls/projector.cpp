#include "agents/calls/projector.h"

#include <cmath>

#include "agents/calls/model_call.h"

namespace consort {
namespace {

constexpr double kWorthSaying = 0.1;  // probability of a label in picture_text()
constexpr std::size_t kMostSaid = 3;

std::vector<float> normalised(const std::vector<double>& sum) {
  double squares = 0;
  for (const double x : sum) squares += x * x;
  std::vector<float> out;
  for (const double x : sum) out.push_back(static_cast<float>(squares > 0 ? x / std::sqrt(squares) : 0));
  return out;
}

class Conse final : public Projector {
 public:
  Conse(ModelDirectory& models, ProjectionOptions options) : models_(models), options_(std::move(options)) {}

  Async<Projected> project(std::vector<ModelInput> items, RequestContext context) override {
    ClassifyRequest request;
    request.inputs = std::move(items);
    request.top = options_.top;
    auto asked = ask_model(&models_, options_.vision, &ModelHandle::classify, std::move(request), context);
    auto seen = co_await std::move(asked);
    if (!seen) co_return forward_error(seen);
    Projected out;
    out.usage = seen->usage;
    auto embedding = embed_labels(*seen, context, out);
    if (auto embedded = co_await std::move(embedding); !embedded) co_return forward_error(embedded);
    for (std::size_t i = 0; i < seen->decisions.size(); ++i) {
      out.items.emplace_back();
      if (const Error* error = seen->error_of(i))
        out.items.back().error = *error;
      else
        combine(seen->decisions[i].raw, out.items.back());
    }
    out.space = *space_;
    out.model_digest = seen->model_digest;
    co_return out;
  }

 private:
  // Texts of labels that no earlier picture had.
  boost::asio::awaitable<Status> embed_labels(const ClassifyResult& seen, RequestContext context,
                                              Projected& out) {
    std::vector<std::string> texts;
    for (const Decision& decision : seen.decisions)
      for (const LabelScore& label : decision.raw)
        if (vectors_.emplace(label.label, std::vector<float>{}).second) texts.push_back(label.label);
    if (texts.empty() && space_) co_return Status();
    if (texts.empty()) texts.emplace_back("picture");  // the space alone is wanted
    auto asked = embed_texts(models_, options_.encoder, texts, "document", std::move(context));
    auto embedded = co_await std::move(asked);
    if (!embedded) {
      for (const std::string& text : texts) vectors_.erase(text);
      co_return forward_error(embedded);
    }
    for (std::size_t i = 0; i < texts.size(); ++i) vectors_[texts[i]] = std::move(embedded->vectors[i]);
    space_ = embedded->space;
    out.usage += embedded->usage;
    co_return Status();
  }

  void combine(const std::vector<LabelScore>& labels, ProjectedItem& out) const {
    std::vector<double> sum(space_->dimension);
    double mass = 0;
    for (const LabelScore& label : labels) mass += label.score;
    for (const LabelScore& label : labels) {
      const std::vector<float>& vector = vectors_.at(label.label);
      for (std::size_t d = 0; d < sum.size(); ++d)
        sum[d] += label.score / mass * static_cast<double>(vector[d]);
    }
    out.labels = labels;
    out.vector = normalised(sum);
  }

  ModelDirectory& models_;
  const ProjectionOptions options_;
  std::map<std::string, std::vector<float>> vectors_;  // of labels
  std::optional<VectorSpace> space_;
};

class Joint final : public Projector {
 public:
  Joint(ModelDirectory& models, ProjectionOptions options) : models_(models), options_(std::move(options)) {}

  Async<Projected> project(std::vector<ModelInput> items, RequestContext context) override {
    EmbedRequest request;
    request.inputs = std::move(items);
    request.level = EmbeddingLevel::kItem;
    auto asked = ask_model(&models_, options_.vision, &ModelHandle::embed, std::move(request), context);
    auto seen = co_await std::move(asked);
    if (!seen) co_return forward_error(seen);
    Projected out;
    out.usage = seen->usage;
    out.model_digest = seen->model_digest;
    out.space.name = options_.vision;
    out.space.fingerprint = seen->model_digest.empty() ? options_.vision : seen->model_digest;
    out.space.dimension = static_cast<std::size_t>(seen->embeddings.view.cols());
    for (std::size_t i = 0; i < seen->items(); ++i) {
      out.items.emplace_back();
      if (const Error* error = seen->error_of(i)) {
        out.items.back().error = *error;
        continue;
      }
      const float* row = seen->item(i).as<float>();
      out.items.back().vector = normalised({row, row + out.space.dimension});
    }
    co_return out;
  }

 private:
  ModelDirectory& models_;
  const ProjectionOptions options_;
};

}  // namespace

Result<std::unique_ptr<Projector>> make_projector(ModelDirectory& models, ProjectionOptions options) {
  if (options.top < 1) return fail(ErrorKind::kInvalid, "at least one label must take part");
  if (options.strategy == "conse") return std::make_unique<Conse>(models, std::move(options));
  if (options.strategy == "joint") return std::make_unique<Joint>(models, std::move(options));
  return fail(ErrorKind::kInvalid, "there is no projection '" + options.strategy + "'", {},
              "known: conse, joint");
}

std::string picture_text(const std::vector<LabelScore>& labels) {
  std::string out;
  std::size_t said = 0;
  for (const LabelScore& label : labels) {
    if (said > 0 && (label.score < kWorthSaying || said == kMostSaid)) break;
    out += (said++ == 0 ? "a photo of " : ", ") + label.label;
  }
  return out.empty() ? "a photo" : out;
}

}  // namespace consort
