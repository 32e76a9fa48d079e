// Cost against quality, with the chord of random mixing and the curve of a cascade.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "agents/ensemble/fitting/cascade.h"
#include "agents/evaluation/report/figure.h"
#include "agents/evaluation/table/table_export.h"

namespace consort {
namespace {

constexpr std::size_t kCurvePoints = 60;

struct Scatter {
  const MeasureInfo* measure;
  std::vector<const Contestant*> all;  // with a cost
  const Contestant* cheap = nullptr;   // cheapest member
  const Contestant* strong = nullptr;  // the best member
  std::vector<Point> chord, cascade;
};

double quality(const EvaluationResults& results, const Contestant& c) {
  return results.find(c.entry.name)->measures.front().value;
}

// Cost and quality when the items about which the cheap one is least sure go to the strong one as well.
std::vector<Point> cascade(const Contest& contest, const Contestant& cheap, const Contestant& strong) {
  const std::string& m = contest.measures.front().name;
  const auto a = cheap.items.find(m), b = strong.items.find(m);
  if (cheap.confidence.empty() || a == cheap.items.end() || b == strong.items.end()) return {};
  const std::vector<double> low(contest.size(), cheap.entry.flop), high(contest.size(), strong.entry.flop);
  const auto curve = fitting::cascade_curve({cheap.confidence, a->second.sums, b->second.sums, low, high});
  std::vector<Point> out;
  if (!curve) return out;
  for (const std::size_t k : thinned(curve->size(), kCurvePoints))
    out.push_back({(*curve)[k].cost, (*curve)[k].quality});
  return out;
}

Scatter scatter(const Contest& contest, const EvaluationResults& results) {
  Scatter s{&results.measures.front(), {}, nullptr, nullptr, {}, {}};
  for (const Contestant& c : contest.contestants) {
    if (!(c.entry.flop > 0) || c.entry.role == Role::kOracle || !std::isfinite(quality(results, c))) continue;
    s.all.push_back(&c);
    if (c.entry.role == Role::kMember && (s.cheap == nullptr || c.entry.flop < s.cheap->entry.flop))
      s.cheap = &c;
  }
  if (const auto at = contest.best_member.find(s.measure->name); at != contest.best_member.end())
    s.strong = contest.find(at->second);
  if (s.cheap == nullptr || s.strong == nullptr || !(s.strong->entry.flop > s.cheap->entry.flop)) return s;
  for (std::size_t k = 0; k <= kCurvePoints; ++k) {
    const double t = static_cast<double>(k) / kCurvePoints;
    s.chord.push_back({(1 - t) * s.cheap->entry.flop + t * s.strong->entry.flop,
                       (1 - t) * quality(results, *s.cheap) + t * quality(results, *s.strong)});
  }
  s.cascade = cascade(contest, *s.cheap, *s.strong);
  return s;
}

struct Box {
  double left, top, right, bottom;
  bool meets(const Box& b) const {
    return left < b.right && b.left < right && top < b.bottom && b.top < bottom;
  }
};

// Names of the marks that matter, each at the first place around its mark where nothing lies yet.
void label(Drawing& d, const Contest& contest, const EvaluationResults& results, const Scatter& s) {
  constexpr double kLetter = 6.4;  // pixels, on average
  constexpr Point kPlaces[] = {{10, 4},  {-10, 4},  {10, -9},  {-10, -9},  {10, 17}, {-10, 17},
                               {10, 31}, {-10, 31}, {10, -23}, {-10, -23}, {10, 45}, {-10, 45}};
  std::vector<Box> taken;
  for (const Contestant* c : s.all) {
    const double x = d.x(c->entry.flop), y = d.y(quality(results, *c));
    taken.push_back({x - 5, y - 5, x + 5, y + 5});
  }
  for (const Contestant* c : featured(contest, contest.contestants.size())) {
    const bool named = c->entry.role == Role::kMember || c->entry.name == contest.chosen ||
                       (c->entry.role == Role::kControl && !c->entry.best_for.empty());
    if (!named || std::find(s.all.begin(), s.all.end(), c) == s.all.end()) continue;
    const Point at{c->entry.flop, quality(results, *c)};
    const std::string words = shortened(c->entry.name, 40);
    const double width = kLetter * static_cast<double>(std::min<std::size_t>(c->entry.name.size(), 40));
    for (const Point& place : kPlaces) {
      const double x = d.x(at.x) + place.x, y = d.y(at.y) + place.y;
      const double left = place.x > 0 ? x : x - width;
      const Box box{left, y - 11, left + width, y + 3};
      const bool inside = box.left > 62 && box.right < 850 && box.top > 36 && box.bottom < 345;
      if (!inside || std::any_of(taken.begin(), taken.end(), [&](const Box& t) { return t.meets(box); }))
        continue;
      taken.push_back(box);
      d.words(at, place.x, place.y, words, place.x > 0 ? "start" : "end", "small halo");
      break;
    }
  }
}

std::string csv_of(const EvaluationResults& results, const Scatter& s) {
  std::string csv = "what,contestant,flop_per_item," + s.measure->name + "\r\n";
  for (const Contestant* c : s.all)
    csv += fmt::format("{},{},{},{}\r\n", role_name(c->entry.role), csv_cell(c->entry.name), c->entry.flop,
                       quality(results, *c));
  for (const Point& p : s.chord) csv += fmt::format("random mix,,{},{}\r\n", p.x, p.y);
  for (const Point& p : s.cascade) csv += fmt::format("cascade,,{},{}\r\n", p.x, p.y);
  return csv;
}

std::string mark_style(Role role) {
  return role == Role::kMember ? "s0" : role == Role::kControl ? "s3" : "s1";
}

}  // namespace

std::optional<Figure> cost_quality_figure(const Contest& contest, const EvaluationResults& results) {
  const Scatter s = scatter(contest, results);
  if (s.all.size() < 2) return std::nullopt;
  std::vector<double> costs, values;
  for (const Contestant* c : s.all) {
    costs.push_back(c->entry.flop);
    values.push_back(quality(results, *c));
  }
  for (const Point& p : s.cascade) {
    costs.push_back(p.x);
    values.push_back(p.y);
  }
  const auto [low, high] = padded_range(values);
  const auto [cheapest, dearest] = std::minmax_element(costs.begin(), costs.end());
  Drawing d(860, 436);
  d.frame({60, 40, 776, 300}, {*cheapest / 1.25, *dearest * 1.25, "FLOP an item", true},
          {low, high, s.measure->name, false, s.measure->share});
  if (!s.chord.empty()) d.line(s.chord, "soft", true);
  if (!s.cascade.empty()) d.line(s.cascade, "s2");
  for (const Contestant* c : s.all)
    d.mark({c->entry.flop, quality(results, *c)}, mark_style(c->entry.role),
           fmt::format("{}: {}, {} FLOP an item", c->entry.name, shown(*s.measure, quality(results, *c)),
                       short_number(c->entry.flop)),
           5);
  label(d, contest, results, s);
  std::vector<std::pair<std::string, std::string>> legend{
      {"s0 dot", "members"}, {"s1 dot", "strategies"}, {"s3 dot", "same compute on one member"}};
  if (!s.chord.empty()) legend.emplace_back("soft dash", "random mix of two members");
  if (!s.cascade.empty()) legend.emplace_back("s2", "cascade of the two");
  d.legend(60, 392, legend, 258);
  return Figure{"cost-quality", "Cost and quality",
                "Arithmetic an item against quality. The dashed chord is what asking the cheapest or the "
                "best member at "
                "random would give; a router is worth something above it. The cascade asks the best member "
                "as well where "
                "the cheapest is least confident, over all thresholds.",
                std::move(d), csv_of(results, s)};
}

}  // namespace consort
