// MemberCalls: how one member is asked about the items of a task, by what the model can do.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "agents/evaluation/table/prediction_row.h"
#include "agents/evaluation/task/task.h"
#include "scheduler/host/model_handle.h"

namespace consort {

// What asking needs of the process. Held by reference by everything here.
struct EvaluationHost {
  ModelDirectory& models;
  boost::asio::io_context& io;              // runs on a thread of its own
  std::function<RequestContext()> request;  // of every call: its stop token
  std::string kernel_path;                  // written into every row
};

// What came back for a list of items: one row each (answer, scores, cost; the rest is the recorder's), or the
// first item's failure, and the vectors that the rows refer to.
struct MemberAnswers {
  std::vector<PredictionRow> rows;
  std::vector<StoredVector> vectors;
};

// Owned by the recorder; one thread. Functions block until the model has answered.
class MemberCalls {
 public:
  virtual ~MemberCalls() = default;
  // Of everything that decides the answer but the weights and the seed. Errors: kNotFound, kIo for files.
  virtual Result<std::string> prompt_hash(const TaskItem& item, int variant) const = 0;
  // How many items are asked at a time; they are recorded together.
  virtual std::size_t block() const = 0;
  // Whether items of the training split are asked as well: a head is fitted on what comes back.
  virtual bool learns() const { return false; }
  // Errors: those of the model, with the item's name.
  virtual Result<MemberAnswers> ask(const std::vector<const TaskItem*>& items, int variant,
                                    std::uint64_t seed) = 0;
};

// Not a model: BM25 over the words of a retrieval task's documents.
inline constexpr std::string_view kWordsMember = "words";

// For a member of `task`. Which way a model is asked:
//   choices: options as continuations; answer: generation (variant 0 greedy, others sampled);
//   text: likelihood; labels: embeddings when the task has training items and the model embeds, else its own
//   or zero-shot classes, else the labels as continuations; pairs: cosine of embeddings, or a reranker's
//   logit; retrieval: the same over all documents (late interaction: MaxSim), or kWordsMember.
// Errors: those of ModelDirectory::acquire; kUnsupported when the model can do none of it.
Result<std::unique_ptr<MemberCalls>> member_calls(const EvaluationHost& host, const Task& task,
                                                  const std::string& model);

// Reads an item's file, relative paths from the task's folder. Errors: kNotFound, kIo, kInvalid above 256
// MiB.
Result<std::string> read_item_file(const Task& task, const std::string& path);

}  // namespace consort
