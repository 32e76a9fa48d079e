// Values of workflows and commands to and from the retrieval memory's types.
//
// A filter is an object; its members must all hold:
//   {"year": 1874}                                equal (a list field: equal, or holds it)
//   {"year": {"gt": 1800, "lte": 1900}}           eq ne lt lte gt gte
//   {"colour": {"in": ["red", "blue"]}}           one of them; {"exists": true | false}
//   {"and": [..]}, {"or": [..]}, {"not": {..}}    over filters
// Fields are metadata, or @externalId, @source, @run, @task, @model, @created, @updated of the item itself.
#pragma once

#include <string_view>
#include <vector>

#include "memory/base/status.h"
#include "memory/retrieval/retrieval.h"
#include "scheduler/value/value.h"

namespace consort {

// Errors: kInvalid with the place inside the filter.
Result<Filter> read_filter(const Value& value);
// Numbers as they stand, rounded to float32; `list` holds numbers only (the schema says so).
std::vector<float> read_vector(const Value& list);
// null, booleans, numbers, texts, lists of texts. Errors: kInvalid.
Result<Metadata> read_metadata(const Value& value);
Value metadata_value(const Metadata& metadata);
// {id, externalId, text, metadata, provenance {source, runId, task, modelDigest}, created, updated}: times as
// ISO 8601.
Value item_value(const Item& item);
// item_value with {score, lexical {rank, score} | null, dense {rank, score} | null, rerank {rank,
// score} | null}.
Value hit_value(const SearchHit& hit);
// {hits, mode, items, lexicalMatches, denseMatches}
Value search_value(const SearchResult& result, SearchMode mode);
// "2026-01-02T03:04:05.678901Z"
std::string time_text(std::int64_t microseconds);

}  // namespace consort
