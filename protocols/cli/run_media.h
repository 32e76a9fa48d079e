// What a run's page shows of its input: pictures, the beginning of texts, drawings of molecules.
#pragma once

#include "scheduler/blob/blob_store.h"
#include "scheduler/value/value.h"

namespace consort {

// {images: {digest: data URI}, texts: {digest: text}, drawings: {SMILES: {light, dark}: data URIs}} of the
// blobs and molecules inside `input`. What cannot be shown (a blob that is gone, a picture above 8 MiB, a
// text that is no SMILES) is left out: the page stands without it. Reads the store; not for the event thread.
Value run_media(const Value& input, BlobStore& blobs);

}  // namespace consort
