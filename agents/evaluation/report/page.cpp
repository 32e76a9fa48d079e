#include "agents/evaluation/report/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "memory/base/text.h"

namespace consort {
namespace {

constexpr std::string_view kStyle =
#include "agents/evaluation/report/page.css.inc"
    ;
constexpr std::size_t kMostMeasures = 6;  // columns of the table; all are in measures.csv

std::string data_link(std::string_view type, std::string_view bytes, std::string_view file,
                      std::string_view words) {
  return fmt::format(R"(<a download="{}" href="data:{};base64,{}">{}</a>)", xml_text(file), type,
                     base64(bytes), xml_text(words));
}

std::string paragraph(std::string_view text, std::string_view style = {}) {
  return style.empty() ? fmt::format("<p>{}</p>", xml_text(text))
                       : fmt::format(R"(<p class="{}">{}</p>)", style, xml_text(text));
}

std::string fact(std::string_view number, std::string_view words) {
  return fmt::format(R"(<div><b>{}</b><span class="soft small">{}</span></div>)", xml_text(number),
                     xml_text(words));
}

class Page {
 public:
  Page(const EvaluationResults& results, const std::vector<Figure>& figures)
      : r_(results), figures_(figures) {}

  std::string write() {
    out_ = fmt::format(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n<title>{}: "
        "evaluation</title>\n<style>\n{}\n{}\n</style>\n"
        "<main>\n",
        xml_text(r_.task), kStyle, drawing_style());
    head();
    verdict();
    table();
    drawings();
    comparisons();
    sets();
    calibrators();
    diversity();
    worth();
    method();
    out_ += "</main>\n</html>\n";
    return std::move(out_);
  }

 private:
  void head() {
    out_ += fmt::format("<p class=\"eyebrow\">Evaluation \u00b7 {}</p>\n<h1>{}</h1>\n", xml_text(r_.kind),
                        xml_text(r_.task));
    if (!r_.description.empty()) out_ += paragraph(r_.description);
    std::string origin = r_.source;
    if (!r_.licence.empty()) origin += (origin.empty() ? "Licence " : " \u00b7 licence ") + r_.licence;
    if (!origin.empty()) out_ += paragraph(origin, "soft small");
    out_ += "<div class=\"facts\">" + fact(fmt::format("{}", r_.items_test), "test items");
    if (r_.clusters < r_.items_test) out_ += fact(fmt::format("{}", r_.clusters), "groups they stand in");
    out_ += fact(fmt::format("{}", r_.items_fit), "items for fitting and choosing");
    if (r_.items_train > 0) out_ += fact(fmt::format("{}", r_.items_train), "training items of the heads");
    out_ += fact(fmt::format("{}", r_.members.size()), "members") +
            fact(fmt::format("{}", r_.tried), "variants tried") +
            fact(fmt::format("{}", r_.comparisons.size()), "tests made") + "</div>\n";
  }

  const Comparison* comparison(std::string_view entry, std::string_view role,
                               std::string_view measure) const {
    const auto at = std::find_if(r_.comparisons.begin(), r_.comparisons.end(), [&](const Comparison& c) {
      return c.entry == entry && c.role == role && c.measure == measure;
    });
    return at == r_.comparisons.end() ? nullptr : &*at;
  }

  // What the fit split would have had us use, and how that fared.
  void verdict() {
    const TableEntry* chosen = r_.find(r_.chosen);
    if (chosen == nullptr) {
      if (r_.entries.empty()) return;
      out_ +=
          "<div class=\"card verdict\"><p class=\"eyebrow\">Verdict</p><p class=\"big\">None was chosen: too "
          "few items "
          "for fitting.</p></div>\n";
      return;
    }
    const Comparison* first = comparison(r_.chosen, "best member", r_.measures.front().name);
    std::string words;
    if (chosen->role == Role::kMember) {
      words = fmt::format("No ensemble: the fit split prefers {} alone.", r_.chosen);
    } else if (first == nullptr) {
      words = fmt::format("The fit split chooses {}.", r_.chosen);
    } else {
      const char* said = first->verdict == "better"  ? "is better than"
                         : first->verdict == "worse" ? "is worse than"
                                                     : "is not shown to differ from";
      words = fmt::format("{}, chosen on the fit split, {} the best member {} in {}{}.", r_.chosen, said,
                          first->against, first->measure, elsewhere(*first));
    }
    out_ +=
        fmt::format("<div class=\"card verdict {}\"><p class=\"eyebrow\">Verdict</p><p class=\"big\">{}</p>",
                    first == nullptr ? "equal" : first->verdict, xml_text(words));
    if (chosen->role == Role::kMember)
      out_ += paragraph(
          "Every strategy was tried against it on items that it was not fitted on; none came out ahead.",
          "small soft");
    else
      chosen_table();
    out_ += "</div>\n";
  }

  // What the other measures say against the best member.
  std::string elsewhere(const Comparison& first) const {
    std::string out;
    for (const Comparison& c : r_.comparisons)
      if (c.entry == first.entry && c.role == first.role && c.measure != first.measure &&
          c.verdict != "equal")
        out += fmt::format("{} {} in {}", out.empty() ? "; it is" : ",", c.verdict, c.measure);
    return out;
  }

  void chosen_table() {
    out_ +=
        "<table class=\"small\"><tr><th>against</th><th>measure</th><th class=\"n\">chosen</th>"
        "<th class=\"n\">other</th><th class=\"n\">difference, 95 %</th><th class=\"n\">p (Holm)</th>"
        "<th>verdict</th></tr>";
    for (const Comparison& c : r_.comparisons) {
      if (c.entry != r_.chosen) continue;
      const MeasureInfo& m = r_.measures[r_.measure(c.measure)];
      out_ += fmt::format(
          "<tr title=\"{}\"><td>{}: {}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
          "class=\"n\">{} [{}, {}]</td><td class=\"n\">{} ({})</td><td class=\"{}\">{}</td></tr>",
          xml_text(c.sentence), c.role, xml_text(c.against), c.measure, shown(m, c.entry_value),
          shown(m, c.against_value), shown_difference(m, c.difference.value),
          shown_difference(m, c.difference.low), shown_difference(m, c.difference.high),
          xml_text(shown_p(c.p)), xml_text(shown_p(c.p_holm)), verdict_style(c.verdict), c.verdict);
    }
    out_ += "</table>";
  }

  static const char* verdict_style(std::string_view verdict) {
    return verdict == "better" ? "good" : verdict == "worse" ? "bad" : "soft";
  }

  std::string number_cell(const TableEntry& e, std::size_t i) const {
    const MeasureInfo& m = r_.measures[i];
    const Estimate& v = e.measures[i];
    if (!std::isfinite(v.value)) return "<td class=\"n soft\">\u2013</td>";
    std::string range;
    if (std::isfinite(v.low)) {
      const int digits = m.share ? 1 : 3;
      const double scale = m.share ? 100 : 1;
      range = fmt::format("<span class=\"range\">{:.{}f} \u2013 {:.{}f}</span>", scale * v.low, digits,
                          scale * v.high, digits);
    }
    const bool best = std::find(e.best_for.begin(), e.best_for.end(), m.name) != e.best_for.end();
    return fmt::format("<td class=\"n\">{}{}{}{}</td>", best ? "<b>" : "", shown(m, v.value),
                       best ? "</b>" : "", range);
  }

  void row(const TableEntry& e, std::size_t columns) {
    std::string tags;
    if (e.name == r_.chosen) tags += "<span class=\"tag\">chosen on fit</span>";
    if (!e.best_for.empty())
      tags += fmt::format("<span class=\"tag\">{}</span>",
                          e.role == Role::kControl ? "best control" : "best member");
    if (e.role == Role::kOracle) tags += "<span class=\"tag\">cannot be reached</span>";
    out_ += fmt::format("<tr class=\"{}{}\"><td>{}{}<span class=\"how\">{}</span></td>", role_name(e.role),
                        e.name == r_.chosen ? " chosen" : "", xml_text(e.name), tags, xml_text(e.how));
    for (std::size_t i = 0; i < columns; ++i) out_ += number_cell(e, i);
    out_ += fmt::format("<td class=\"n\">{}</td></tr>\n", e.flop > 0 ? short_number(e.flop) : "\u2013");
  }

  void table() {
    const std::size_t columns = std::min(kMostMeasures, r_.measures.size());
    out_ += "<h2>What was measured</h2>\n";
    out_ += paragraph(
        "On the test split, with 95 % bootstrap intervals. Everything fitted or chosen was fitted and chosen "
        "on the fit "
        "split. In bold: the best member and the best control by the fit split.",
        "soft small");
    out_ += "<div class=\"wide\"><table><tr><th></th>";
    for (std::size_t i = 0; i < columns; ++i)
      out_ +=
          fmt::format("<th class=\"n\" title=\"{}\">{} {}</th>", xml_text(r_.measures[i].meaning),
                      xml_text(r_.measures[i].name), r_.measures[i].higher_is_better ? "\u2191" : "\u2193");
    out_ += "<th class=\"n\">FLOP/item</th></tr>\n";
    constexpr std::pair<Role, const char*> kGroups[] = {
        {Role::kMember, "Members"},
        {Role::kControl, "The same compute on the best member"},
        {Role::kStrategy, "Strategies"},
        {Role::kOracle, "Bound"}};
    for (const auto& [role, words] : kGroups) {
      bool begun = false;
      for (const TableEntry& e : r_.entries) {
        if (e.role != role) continue;
        if (!begun)
          out_ += fmt::format("<tr class=\"group\"><th colspan=\"{}\">{}</th></tr>\n", columns + 2, words);
        begun = true;
        row(e, columns);
      }
    }
    out_ += "</table></div>\n<p class=\"get small\">" +
            data_link("text/csv", measures_csv(r_), "measures.csv", "measures.csv") +
            data_link("application/json", write_json_pretty(to_value(r_)), "results.json", "results.json") +
            "</p>\n";
  }

  void drawings() {
    for (const Figure& f : figures_) {
      out_ += fmt::format(
          "<figure id=\"{}\"><h3>{}</h3><figcaption>{}</figcaption><div class=\"scroll\">{}</div>", f.name,
          xml_text(f.title), xml_text(f.caption), f.drawing.svg(f.title, false));
      out_ += "<div class=\"get\">" +
              data_link("image/svg+xml", f.drawing.svg(f.title, true), f.name + ".svg", f.name + ".svg") +
              data_link("text/csv", f.csv, f.name + ".csv", f.name + ".csv") + "</div></figure>\n";
    }
  }

  void comparisons() {
    if (r_.comparisons.empty()) return;
    out_ += "<h2>Paired comparisons</h2>\n";
    out_ += paragraph(
        fmt::format("{} tests, p after Holm's correction over all of them. \"equal\" means that no "
                    "difference was shown; the last column is the difference that would have been found "
                    "with 80 % power.",
                    r_.comparisons.size()),
        "soft small");
    out_ +=
        "<div class=\"wide\"><table><tr><th>contestant</th><th>against</th><th>measure</th>"
        "<th class=\"n\">difference</th><th>test</th><th class=\"n\">p</th><th "
        "class=\"n\">Holm</th><th>verdict</th>"
        "<th class=\"n\">detectable</th></tr>\n";
    for (const Comparison& c : r_.comparisons) {
      const MeasureInfo& m = r_.measures[r_.measure(c.measure)];
      out_ += fmt::format(
          "<tr><td>{}</td><td>{}<span class=\"range\">{}</span></td><td>{}</td><td class=\"n\">{}<span "
          "class=\"range\">{} \u2026 {}</span></td><td>{}</td><td class=\"n\">{}</td><td "
          "class=\"n\">{}</td><td "
          "class=\"{}\">{}</td><td class=\"n\">{}</td></tr>\n",
          xml_text(c.entry), xml_text(c.against), c.role, c.measure, shown_difference(m, c.difference.value),
          shown_difference(m, c.difference.low), shown_difference(m, c.difference.high), c.test,
          xml_text(shown_p(c.p)), xml_text(shown_p(c.p_holm)), verdict_style(c.verdict), c.verdict,
          detectable(m, c));
    }
    out_ += "</table></div>\n<p class=\"get small\">" +
            data_link("text/csv", comparisons_csv(r_), "comparisons.csv", "comparisons.csv") + "</p>\n";
  }

  static std::string detectable(const MeasureInfo& m, const Comparison& c) {
    if (!std::isfinite(c.detectable)) return "\u2013";
    return m.share ? fmt::format("{:.1f}", 100 * c.detectable) : fmt::format("{:.3f}", c.detectable);
  }

  void worth() {
    if (r_.worth.empty()) return;
    const MeasureInfo& m = r_.measures.front();
    out_ += "<h2>What members are worth</h2>\n";
    out_ += paragraph(
        "Share of each member in the uniform pool's " + m.name +
            " over all subsets (Shapley value), and what the pool of all loses without it; computed on the "
            "test split, for looking, not for choosing.",
        "soft small");
    out_ +=
        "<div class=\"wide\"><table><tr><th>member</th><th class=\"n\">Shapley value</th>"
        "<th class=\"n\">left out</th></tr>\n";
    for (const MemberWorth& w : r_.worth)
      out_ += fmt::format("<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
                          xml_text(w.member), shown_difference(m, w.shapley),
                          shown_difference(m, w.leave_one_out));
    out_ += "</table></div>\n";
  }

  void sets() {
    if (r_.sets.empty()) return;
    out_ += "<h2>Sets instead of one answer</h2>\n";
    out_ += paragraph(
        fmt::format(
            "Split conformal sets that may miss the truth for {:.0f} % of the items. Fitted on a part of the "
            "fit split, calibrated on the other {} items of it; so few items put the coverage anywhere in "
            "the "
            "expected range. Smaller sets at the same coverage are better.",
            100 * kSetMissRate, r_.sets.front().calibration_items),
        "soft small");
    out_ +=
        "<div class=\"wide\"><table><tr><th>contestant</th><th>score</th><th class=\"n\">coverage</th>"
        "<th class=\"n\">expected</th><th class=\"n\">worst class</th><th class=\"n\">classes in a set</th>"
        "<th class=\"n\">one only</th><th class=\"n\">empty</th></tr>\n";
    for (const PredictionSets& s : r_.sets)
      out_ += fmt::format(
          "<tr><td>{}</td><td>{}</td><td class=\"n\">{:.1f} %</td><td class=\"n\">{:.1f} \u2013 {:.1f} %</td>"
          "<td class=\"n\">{:.1f} %</td><td class=\"n\">{:.2f}</td><td class=\"n\">{:.1f} %</td>"
          "<td class=\"n\">{:.1f} %</td></tr>\n",
          xml_text(s.contestant), s.score, 100 * s.coverage, 100 * s.band_low, 100 * s.band_high,
          100 * s.worst_class, s.mean_size, 100 * s.single, 100 * s.empty);
    out_ += "</table></div>\n";
  }

  void calibrators() {
    if (r_.calibrators.empty()) return;
    out_ += "<h2>Ways of calibrating</h2>\n";
    out_ += paragraph(
        "Every member and the plain pool, fitted on the fit split, measured on the test split. Isotonic "
        "regression wants a thousand items; with fewer it follows their noise.",
        "soft small");
    out_ +=
        "<div class=\"wide\"><table><tr><th>contestant</th><th>by</th><th class=\"n\">nll</th>"
        "<th class=\"n\">brier</th><th class=\"n\">ece</th><th class=\"n\">debiased</th></tr>\n";
    for (const CalibratorResult& c : r_.calibrators)
      out_ += fmt::format(
          "<tr><td>{}</td><td>{}</td><td class=\"n\">{:.4f}</td><td class=\"n\">{:.4f}</td>"
          "<td class=\"n\">{:.2f} %</td><td class=\"n\">{:.2f} %</td></tr>\n",
          xml_text(c.contestant), c.way, c.nll, c.brier, 100 * c.ece, 100 * c.ece_debiased);
    out_ += "</table></div>\n";
  }

  void diversity() {
    if (r_.diversity.empty()) return;
    out_ +=
        "<h2>How differently members err</h2>\n<div class=\"wide\"><table><tr><th>pair</th>"
        "<th class=\"n\">disagreement</th><th class=\"n\">Q</th><th class=\"n\">kappa</th>"
        "<th class=\"n\">both wrong</th><th class=\"n\">either right</th></tr>\n";
    const auto plain = [](double v) {
      return std::isfinite(v) ? fmt::format("{:.3f}", v) : std::string("\u2013");
    };
    for (const PairDiversity& d : r_.diversity)
      out_ += fmt::format(
          "<tr><td>{} and {}</td><td class=\"n\">{:.1f} %</td><td class=\"n\">{}</td><td class=\"n\">{}</td>"
          "<td class=\"n\">{:.1f} %</td><td class=\"n\">{:.1f} %</td></tr>\n",
          xml_text(d.a), xml_text(d.b), 100 * d.disagreement, plain(d.q), plain(d.kappa),
          100 * d.double_fault, 100 * d.either_right);
    out_ += "</table></div>\n";
  }

  void method() {
    out_ += "<h2>Notes and method</h2>\n<ul class=\"small\">";
    for (const std::string& note : r_.notes) out_ += fmt::format("<li>{}</li>", xml_text(note));
    out_ += fmt::format(
        "<li>Intervals: percentile bootstrap over {} with {} resamples (measures of many items together: at "
        "most "
        "500), the same resamples for all. Tests: exact McNemar for right and wrong (grouped items: sign "
        "flips of "
        "groups), sign-flip permutation for NLL, Brier and other means.</li>"
        "<li>{} variants besides the bare members and the oracle were measured on the test split; the choice "
        "among them "
        "was made on the fit split by {}, cross-fitted.</li><li>Seed {}. Task file digest {}.</li></ul>\n",
        r_.clusters < r_.items_test ? "groups of items" : "items", r_.resamples, r_.tried,
        xml_text(r_.chosen_by), r_.seed, xml_text(r_.digest));
    std::string parameters;
    for (const TableEntry& e : r_.entries)
      if (e.parameters.is_object() && e.parameters.size() > 0)
        parameters += e.name + "\n" + write_json_pretty(e.parameters) + "\n";
    if (!parameters.empty())
      out_ += "<details><summary class=\"small\">Fitted parameters</summary><pre>" + xml_text(parameters) +
              "</pre></details>\n";
  }

  const EvaluationResults& r_;
  const std::vector<Figure>& figures_;
  std::string out_;
};

}  // namespace

std::string_view page_style() {
  return kStyle;
}

std::string evaluation_page(const EvaluationResults& results, const std::vector<Figure>& figures) {
  return Page(results, figures).write();
}

}  // namespace consort
