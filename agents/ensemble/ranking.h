// What strategies share: who takes part, how ties at the top are settled, what doubt is left. Private to this
// room.
#pragma once

#include <string>
#include <vector>

#include "agents/ensemble/strategy.h"

namespace consort::ensemble {

// A contender for the answer, with what the tie rules look at (research note A1).
struct Contender {
  RankedAnswer entry;     // score and probability set
  double weight = 0;      // rule 1: sum of the weights of those whose answer it is
  double logprob = 0;     // rule 2: mean log-probability per byte; -inf when nobody scored it
  double validation = 0;  // rule 3: of the best member whose answer it is; -inf when unknown
};

// Orders contenders by score, then by the tie rules, then as text; fills result.ranking, answer, candidate
// and tie.
void rank_contenders(std::vector<Contender> contenders, EnsembleResult& result);
// entropy, margin and confidence from result.ranking's probabilities.
void measure_doubt(EnsembleResult& result);

// The members without error, as places in table.members. kInvalid for malformed weights or tables; kRuntime
// when nobody is left. For kScores also checks candidates and scores.
Result<std::vector<std::size_t>> taking_part(const PredictionTable& table, PredictionNeed need);
// Weights of those members, summing to 1.
std::vector<double> normalised_weights(const PredictionTable& table, const std::vector<std::size_t>& members);
// One report a member of the table, names, costs and errors filled; result.missing and result.cost too.
void report_members(const PredictionTable& table, EnsembleResult& result);

// Scores of members over candidates in a form that does not know their order: candidates that are the same
// text are one, the distinct texts stand sorted.
struct ScoreTable {
  std::vector<std::string> candidates;        // distinct, sorted
  std::vector<std::size_t> places;            // of each in table.candidates (the first)
  std::vector<std::vector<double>> total;     // [member][candidate] log-probability, nats
  std::vector<std::vector<double>> per_byte;  // [member][candidate] nats per byte
};
ScoreTable score_table(const PredictionTable& table, const std::vector<std::size_t>& members);

// Contenders over the candidates of a score table: tie keys from each member's own first choice and from
// `per_byte`.
std::vector<Contender> candidate_contenders(const PredictionTable& table,
                                            const std::vector<std::size_t>& members,
                                            const std::vector<double>& weights, const ScoreTable& scores);
// The candidates that are first for a member (several when tied), by `own` scores [candidate].
std::vector<bool> own_choices(const std::vector<double>& own);
// Own answer, score and weight of each member into the reports.
void report_own_choices(const PredictionTable& table, const std::vector<std::size_t>& members,
                        const std::vector<double>& weights, const ScoreTable& scores,
                        const std::vector<std::vector<double>>& own, EnsembleResult& result);

// JSON compiled into the program (schema.json, case.json); it was checked by this room's tests.
Value embedded_json(const char* text, const char* name);

}  // namespace consort::ensemble
