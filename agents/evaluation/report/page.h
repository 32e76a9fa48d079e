// The report of an evaluation as one self-contained HTML page: verdict, table, figures, tests, notes. It
// loads nothing, runs no script, and offers its figures and tables as data: links. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agents/evaluation/report/figure.h"

namespace consort {

// The style sheet of pages: colours, tables, figures, light and dark.
std::string_view page_style();

// The same results give the same bytes; words from tasks and models are text, never markup.
std::string evaluation_page(const EvaluationResults& results, const std::vector<Figure>& figures);

}  // namespace consort
