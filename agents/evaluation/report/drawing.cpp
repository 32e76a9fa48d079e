#include "agents/evaluation/report/drawing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "memory/base/text.h"
#include "scheduler/value/xml.h"

namespace consort {
namespace {

constexpr std::string_view kStyle =
    ".d{--s0:#1f6f78;--s1:#c2571a;--s2:#6a51a3;--s3:#b8860b;--s4:#3b6fb6;--s5:#a83e74;--s6:#4f7d2f;--s7:#"
    "7a5c42;"
    "--ink:#1f242b;--quiet:#666e79;--rule:#e2dfd6;--paper:#fff;--good:#2f7d4f;--bad:#b3392f;--equal:#8a8f98}"
    "@media (prefers-color-scheme:dark){.d{--s0:#6cc0c9;--s1:#f09a5f;--s2:#b3a0e0;--s3:#e0b94f;--s4:#86b0ea;"
    "--s5:#e58ab9;--s6:#9fce7d;--s7:#c9a98c;--ink:#e7e5e0;--quiet:#9aa1aa;--rule:#2d3138;--paper:#1c1f24;"
    "--good:#6cc08f;--bad:#e58077;--equal:#7d838c}}"
    ".d text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:var(--ink)}"
    ".d .quiet{fill:var(--quiet)}.d .small{font-size:11px}.d .head{font-weight:600}"
    ".d .grid{stroke:var(--rule);stroke-width:1}.d .edge{stroke:var(--quiet);stroke-width:1;fill:none}"
    ".d .l{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.d .dash{stroke-dasharray:5 4}"
    ".d .b{stroke:none;fill-opacity:.16}.d .x{stroke:none}"
    ".d .halo{paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}"
    ".d .s0{--c:var(--s0)}.d .s1{--c:var(--s1)}.d .s2{--c:var(--s2)}.d .s3{--c:var(--s3)}.d "
    ".s4{--c:var(--s4)}"
    ".d .s5{--c:var(--s5)}.d .s6{--c:var(--s6)}.d .s7{--c:var(--s7)}.d .soft{--c:var(--quiet)}"
    ".d .good{--c:var(--good)}.d .bad{--c:var(--bad)}.d .equal{--c:var(--equal)}.d .faint{--c:var(--rule)}"
    ".d .l{stroke:var(--c)}.d .b,.d .x,.d .m{fill:var(--c)}.d .m{stroke:var(--paper);stroke-width:1.5}"
    ".d .h{fill:var(--paper);stroke:var(--c);stroke-width:2}";

// Pixels with a hundredth; no trailing zeros, so that files stay small and equal.
std::string px(double v) {
  std::string s = fmt::format("{:.2f}", v);
  while (s.back() == '0') s.pop_back();
  if (s.back() == '.') s.pop_back();
  return s == "-0" ? "0" : s;
}

std::string hovering(std::string_view hover) {
  return hover.empty() ? "/>" : "><title>" + xml_text(hover) + "</title>";
}
std::string closing(std::string_view hover, std::string_view tag) {
  return hover.empty() ? std::string() : fmt::format("</{}>", tag);
}

std::string tick_text(const Axis& axis, double v) {
  if (axis.percent) return fmt::format("{} %", short_number(std::round(v * 1e4) / 100));
  return short_number(v);
}

}  // namespace

std::string_view drawing_style() {
  return kStyle;
}

std::string xml_text(std::string_view text) {
  bool replaced = false;
  return escape_xml(to_utf8(text, replaced), true);
}

std::string shortened(std::string_view text, std::size_t most) {
  bool replaced = false;
  const std::string all = to_utf8(text, replaced);
  std::size_t characters = 0, cut = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if ((static_cast<unsigned char>(all[i]) & 0xC0) == 0x80) continue;
    if (++characters == most) cut = i;
  }
  return characters <= most ? all : all.substr(0, cut) + "\u2026";
}

std::string short_number(double v) {
  if (v == 0) return "0";
  if (!std::isfinite(v)) return std::isnan(v) ? "" : v > 0 ? "\u221e" : "-\u221e";
  constexpr std::pair<double, const char*> kUnits[] = {
      {1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e4, "k"}};
  const double size = std::abs(v);
  if (size < 1e-4) return fmt::format("{:.2g}", v);
  for (const auto& [unit, name] : kUnits)
    if (size >= unit) return fmt::format("{:.3g}{}", v / (unit == 1e4 ? 1e3 : unit), name);
  return fmt::format("{:.4g}", v);
}

std::vector<double> round_ticks(double low, double high, int wanted) {
  if (!(high > low)) return {low};
  const double rough = (high - low) / std::max(1, wanted);
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double step = rough / power < 1.5   ? power
                      : rough / power < 3.5 ? 2 * power
                      : rough / power < 7.5 ? 5 * power
                                            : 10 * power;
  std::vector<double> out;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k) out.push_back(k * step);
  return out;
}

std::vector<double> logarithmic_ticks(double low, double high) {
  std::vector<double> tens, all;
  for (double p = std::floor(std::log10(low)); p <= std::ceil(std::log10(high)); ++p)
    for (const double k : {1.0, 2.0, 5.0}) {
      const double v = k * std::pow(10, p);
      if (v < low * (1 - 1e-9) || v > high * (1 + 1e-9)) continue;
      all.push_back(v);
      if (k == 1) tens.push_back(v);
    }
  return tens.size() >= 3 ? tens : all;
}

std::pair<double, double> padded_range(const std::vector<double>& values) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const double v : values) {
    if (!std::isfinite(v)) continue;
    low = std::min(low, v);
    high = std::max(high, v);
  }
  if (low > high) return {0, 1};
  const double pad = high > low ? (high - low) / 20 : std::max(1e-3, std::abs(high) / 20);
  return {low - pad, high + pad};
}

double Drawing::place(const Axis& axis, double v) const {
  if (!axis.logarithmic) return (v - axis.low) / (axis.high - axis.low);
  return std::log(v / axis.low) / std::log(axis.high / axis.low);
}
double Drawing::x(double v) const {
  return frame_.left + frame_.width * place(x_, v);
}
double Drawing::y(double v) const {
  return frame_.top + frame_.height * (1 - place(y_, v));
}

void Drawing::frame(const Frame& place, Axis x_axis, Axis y_axis) {
  frame_ = place;
  x_ = std::move(x_axis);
  y_ = std::move(y_axis);
  const double bottom = frame_.top + frame_.height, right = frame_.left + frame_.width;
  const auto ticks = [](const Axis& a, int wanted) {
    if (!a.ticks) return std::vector<double>();
    return a.logarithmic ? logarithmic_ticks(a.low, a.high) : round_ticks(a.low, a.high, wanted);
  };
  for (const double t : ticks(x_, std::max(2, static_cast<int>(frame_.width / 90)))) {
    body_ += fmt::format(R"(<path class="grid" d="M{0} {1}V{2}"/>)", px(x(t)), px(frame_.top), px(bottom));
    note(x(t), bottom + 16, tick_text(x_, t), "middle", "quiet small");
  }
  for (const double t : ticks(y_, std::max(2, static_cast<int>(frame_.height / 48)))) {
    body_ += fmt::format(R"(<path class="grid" d="M{0} {1}H{2}"/>)", px(frame_.left), px(y(t)), px(right));
    note(frame_.left - 7, y(t) + 4, tick_text(y_, t), "end", "quiet small");
  }
  if (!x_.label.empty()) note(frame_.left + frame_.width / 2, bottom + 34, x_.label, "middle", "quiet small");
  if (!y_.label.empty()) note(frame_.left - 44, frame_.top - 10, y_.label, "start", "quiet small");
}

void Drawing::title(std::string_view text) {
  note(frame_.left, frame_.top - 26, text, "start", "head");
}

void Drawing::line(const std::vector<Point>& points, std::string_view style, bool dashed) {
  std::string d;
  bool open = false;
  for (const Point& p : points) {
    if (!std::isfinite(p.x) || !std::isfinite(p.y)) {
      open = false;
      continue;
    }
    d += fmt::format("{}{} {}", open ? "L" : "M", px(x(p.x)), px(y(p.y)));
    open = true;
  }
  if (!d.empty()) body_ += fmt::format(R"(<path class="l {}{}" d="{}"/>)", style, dashed ? " dash" : "", d);
}

void Drawing::band(const std::vector<Point>& low, const std::vector<Point>& high, std::string_view style) {
  std::string d;
  for (const Point& p : high) d += fmt::format("{}{} {}", d.empty() ? "M" : "L", px(x(p.x)), px(y(p.y)));
  for (auto p = low.rbegin(); p != low.rend(); ++p) d += fmt::format("L{} {}", px(x(p->x)), px(y(p->y)));
  if (!d.empty()) body_ += fmt::format(R"(<path class="b {}" d="{}Z"/>)", style, d);
}

void Drawing::mark(Point at, std::string_view style, std::string_view hover, double radius, bool hollow) {
  body_ += fmt::format(R"(<circle class="{} {}" cx="{}" cy="{}" r="{}"{}{})", hollow ? "h" : "m", style,
                       px(x(at.x)), px(y(at.y)), px(radius), hovering(hover), closing(hover, "circle"));
}

void Drawing::interval(Point from, Point to, std::string_view style) {
  const double x0 = x(from.x), y0 = y(from.y), x1 = x(to.x), y1 = y(to.y);
  const double ex = std::abs(x1 - x0) > std::abs(y1 - y0) ? 0 : 4, ey = 4 - ex;
  body_ += fmt::format(R"(<path class="l {}" d="M{} {}L{} {}M{} {}L{} {}M{} {}L{} {}"/>)", style, px(x0),
                       px(y0), px(x1), px(y1), px(x0 - ex), px(y0 - ey), px(x0 + ex), px(y0 + ey),
                       px(x1 - ex), px(y1 - ey), px(x1 + ex), px(y1 + ey));
}

void Drawing::box(Point a, Point b, std::string_view style, std::string_view hover, double opacity) {
  const double left = std::min(x(a.x), x(b.x)), top = std::min(y(a.y), y(b.y));
  body_ += fmt::format(R"(<rect class="x {}" x="{}" y="{}" width="{}" height="{}"{}{}{})", style, px(left),
                       px(top), px(std::abs(x(a.x) - x(b.x))), px(std::abs(y(a.y) - y(b.y))),
                       opacity < 1 ? fmt::format(R"( fill-opacity="{}")", px(opacity)) : "", hovering(hover),
                       closing(hover, "rect"));
}

void Drawing::words(Point at, double dx, double dy, std::string_view text, std::string_view anchor,
                    std::string_view style) {
  note(x(at.x) + dx, y(at.y) + dy, text, anchor, style);
}

void Drawing::note(double left, double top, std::string_view text, std::string_view anchor,
                   std::string_view style) {
  body_ += fmt::format(R"(<text class="{}" x="{}" y="{}"{}>{}</text>)", style, px(left), px(top),
                       anchor == "start" ? std::string() : fmt::format(R"( text-anchor="{}")", anchor),
                       xml_text(text));
}

double Drawing::legend(double left, double top,
                       const std::vector<std::pair<std::string, std::string>>& entries, double column_width) {
  constexpr double kRow = 20;
  const auto columns = static_cast<std::size_t>(std::max(1.0, std::floor((width_ - left) / column_width)));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const double px0 = left + column_width * static_cast<double>(i % columns);
    const double py0 = top + kRow * static_cast<double>(i / columns);
    std::string_view style = entries[i].first;
    const bool dashed = style.ends_with(" dash"), dot = style.ends_with(" dot");
    style = style.substr(0, style.find(' '));
    if (dot)
      body_ += fmt::format(R"(<circle class="m {}" cx="{}" cy="{}" r="5"/>)", style, px(px0 + 12), px(py0));
    else
      body_ += fmt::format(R"(<path class="l {}{}" d="M{} {}h18"/>)", style, dashed ? " dash" : "", px(px0),
                           px(py0));
    const auto room = static_cast<std::size_t>((column_width - 30) / 6.2);
    note(px0 + 24, py0 + 4, shortened(entries[i].second, room), "start", "small");
  }
  return kRow * static_cast<double>((entries.size() + columns - 1) / columns);
}

std::string Drawing::svg(std::string_view name, bool with_style) const {
  return fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" class="d" viewBox="0 0 {0} {1}"{2} role="img" aria-label="{3}">)"
      "<title>{3}</title>{4}{5}</svg>",
      px(width_), px(height_),
      with_style ? fmt::format(R"( width="{}" height="{}")", px(width_), px(height_)) : "", xml_text(name),
      with_style ? fmt::format("<style>{}.d{{background:var(--paper)}}</style>", kStyle) : "", body_);
}

}  // namespace consort
