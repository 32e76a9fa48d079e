// Drawing: one plot as SVG text: axes with round ticks, lines, marks, bars, words. Colours are class names
// that a style sheet resolves (drawing_style), so that one drawing serves light and dark pages. The same
// calls give the same bytes. A value; one thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace consort {

struct Axis {
  double low = 0, high = 1;
  std::string label;
  bool logarithmic = false;  // REQUIRES: low > 0
  bool percent = false;      // ticks as shares of 100
  bool ticks = true;
};

struct Point {
  double x = 0, y = 0;
};

// A frame within the drawing: pixels from its upper left corner.
struct Frame {
  double left = 0, top = 0, width = 0, height = 0;
};

class Drawing {
 public:
  Drawing(double width, double height) : width_(width), height_(height) {}

  // Everything until the next frame is in its axes. Draws grid, ticks and labels.
  void frame(const Frame& place, Axis x, Axis y);
  void title(std::string_view words);  // above the frame

  // `style` is a class of drawing_style: "s0" to "s7" (series), "soft", "good", "bad", "equal".
  void line(const std::vector<Point>& points, std::string_view style, bool dashed = false);
  // Between the lines low and high. REQUIRES: as many points each.
  void band(const std::vector<Point>& low, const std::vector<Point>& high, std::string_view style);
  void mark(Point at, std::string_view style, std::string_view hover = {}, double radius = 4,
            bool hollow = false);
  // From `from` to `to`, an interval with ends.
  void interval(Point from, Point to, std::string_view style);
  // A filled box with corners in axis values.
  void box(Point corner, Point opposite, std::string_view style, std::string_view hover = {},
           double opacity = 1);
  // Words at axis values, moved by pixels; anchor: "start", "middle", "end".
  void words(Point at, double dx, double dy, std::string_view text, std::string_view anchor = "start",
             std::string_view style = "word");
  // Words at pixels of the whole drawing.
  void note(double x, double y, std::string_view text, std::string_view anchor = "start",
            std::string_view style = "word");
  // A legend, its first row at pixel height `top`; {style, words}; a style may end in " dash" or " dot".
  // Returns its height.
  double legend(double left, double top, const std::vector<std::pair<std::string, std::string>>& entries,
                double column_width);

  // <svg ...>; `with_style` for a file of its own.
  std::string svg(std::string_view title, bool with_style) const;
  double x(double value) const;  // pixels
  double y(double value) const;
  double width() const { return width_; }
  double height() const { return height_; }

 private:
  double place(const Axis& axis, double value) const;
  double width_, height_;
  Frame frame_;
  Axis x_, y_;
  std::string body_;
};

// The style sheet of drawings, light and dark.
std::string_view drawing_style();

// Round values within [low, high], about `wanted` of them; powers of ten (and 2, 5 times) on a logarithmic
// axis.
std::vector<double> round_ticks(double low, double high, int wanted);
std::vector<double> logarithmic_ticks(double low, double high);
// Short text of a number: 0.25, 1.2e9, 3M.
std::string short_number(double value);
// Text for XML: & < > " escaped, control characters gone.
std::string xml_text(std::string_view text);
// [low, high] of the values with a margin of a twentieth on both sides; never empty.
std::pair<double, double> padded_range(const std::vector<double>& values);
// At most `most` characters (code points), the last one an ellipsis when something was cut.
std::string shortened(std::string_view text, std::size_t most);

}  // namespace consort
