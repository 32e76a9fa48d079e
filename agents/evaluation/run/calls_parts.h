// What the ways of asking share. Private to this room.
#pragma once

#include <memory>
#include <string>

#include "agents/evaluation/run/member_calls.h"

namespace consort {

// Language models: choices, answers, texts, and labels as continuations.
std::unique_ptr<MemberCalls> language_calls(const EvaluationHost& host, const Task& task, ModelHandle model);
// Embeddings for labels, pairs and retrieval.
std::unique_ptr<MemberCalls> embedding_calls(const EvaluationHost& host, const Task& task, ModelHandle model);
// Own or zero-shot classes for labels.
std::unique_ptr<MemberCalls> classifier_calls(const EvaluationHost& host, const Task& task,
                                              ModelHandle model);
// A cross-encoder's logits for pairs and retrieval.
std::unique_ptr<MemberCalls> reranker_calls(const EvaluationHost& host, const Task& task, ModelHandle model);
// BM25 over the documents of a retrieval task.
std::unique_ptr<MemberCalls> word_calls(const Task& task);

// The wording of this number; the last one when the task has fewer.
const std::string& wording(const Task& task, int variant);
// The second text of a pair in this wording.
std::string worded_other(const Task& task, const TaskItem& item, int variant);
// An item of a labels task as a model takes it. Errors: those of read_item_file.
Result<ModelInput> label_input(const Task& task, const TaskItem& item, int variant);
// Its text, or a digest of its file's bytes, for prompt_hash.
Result<std::string> label_content(const Task& task, const TaskItem& item, int variant);
// The error with the item's name in front of where.
Error of_item(Error error, const TaskItem& item);
// Nats, of softmax(scores).
double entropy_of_scores(const std::vector<double>& scores);

}  // namespace consort
