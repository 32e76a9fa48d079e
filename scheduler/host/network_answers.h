// From a pass over items to what was asked. Pure; any thread. Internal to scheduler/host.
#pragma once

#include "models/network/network.h"
#include "scheduler/host/network_run.h"
#include "scheduler/host/requests.h"

namespace consort {

EmbedResult embed_answer(const Network& network, NetworkItems items, EmbeddingLevel level);
ClassifyResult classify_answer(const Network& network, NetworkItems items, const ClassifyRequest& request);
// `items`: the request's inputs, then its labels, all embedded. Probability of a label: softmax or sigmoid of
// scale * cosine + bias (JointSpace). Errors: that of a label which could not be read.
Result<ClassifyResult> zero_shot_answer(const Network& network, NetworkItems items,
                                        const ClassifyRequest& request);
RerankResult rerank_answer(const Network& network, NetworkItems items);

}  // namespace consort
