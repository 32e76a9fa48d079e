// From a pass over items to what was asked. Pure; any thread. Internal to scheduler/host.
#pragma once

#include "models/network/network.h"
#include "scheduler/host/network_run.h"
#include "scheduler/host/requests.h"

namespace consort {

EmbedResult embed_answer(const Network& network, NetworkItems items, EmbeddingLevel level);
ClassifyResult classify_answer(const Network& network, NetworkItems items, const ClassifyRequest& request);
// Embeddings of labels, as a zero-shot request compares with: [labels, dimension].
using LabelRows = std::vector<float>;
// Of the items from `first` on, all embedded. Errors: that of a label which could not be read.
Result<LabelRows> label_rows(const Network& network, const NetworkItems& items, std::size_t first);
// `items`: the request's inputs, embedded (others behind them are not looked at). Probability of a label:
// softmax or sigmoid of scale * cosine + bias (JointSpace).
ClassifyResult zero_shot_answer(const Network& network, NetworkItems items, const ClassifyRequest& request,
                                const LabelRows& labels);
RerankResult rerank_answer(const Network& network, NetworkItems items);

}  // namespace consort
