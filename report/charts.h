#pragma once

// Charts as inline SVG: no scripts, no fonts, colours from the page's style sheet, so that they
// follow dark mode and print.

#include <string>
#include <vector>

namespace finstill::report {

/// One horizontal bar with an interval. All values are shares in 0..1; low > high means no
/// interval.
struct Bar {
  std::string label;
  std::string note;  ///< small text behind the value
  double value = 0;
  double low = 1, high = 0;
  std::string style;  ///< "student", "teacher", "base", "baseline": a class of the style sheet
};

/// Horizontal bars on a common axis from 0 to 100 %. `description` is read out to people who cannot
/// see it.
std::string bar_chart(const std::vector<Bar>& bars, const std::string& description);

struct Point {
  double x = 0, y = 0;
};

struct Series {
  std::string label;
  std::vector<Point> points;  ///< in the order of x; points that are not finite are left out
  std::string style;
  bool dashed = false;  ///< validation beside training
};

/// Lines on common axes, each labelled at its end. Long series are thinned to what the picture can
/// show.
std::string line_chart(const std::vector<Series>& series, const std::string& x_label,
                       const std::string& y_label, const std::string& description);

/// Parts of a whole as one stacked bar: label and count each.
struct Share {
  std::string label;
  double count = 0;
  std::string style;
};
std::string stacked_bar(const std::vector<Share>& shares, const std::string& description);

}  // namespace finstill::report
