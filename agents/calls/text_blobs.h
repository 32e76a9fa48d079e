// A call that wants a text takes a blob of text: before the options are checked, handles that stand where the
// schema wants a string (and would refuse an object) become the blob's text.
#pragma once

#include <memory>

#include "scheduler/workflow/task_handler.h"

namespace consort {

class BlobStore;

// `value` with its text blobs as strings, guided by the schema's properties and items. Errors:
// kInvalid when the blob is not UTF-8, those of BlobStore::get.
Result<Value> with_blob_texts(const Value& value, const Value& schema, BlobStore& blobs);

// `handler`, taking text blobs. `blobs` may be null: then handles stay as they are.
std::shared_ptr<TaskHandler> taking_text_blobs(std::shared_ptr<TaskHandler> handler, BlobStore* blobs);

}  // namespace consort
