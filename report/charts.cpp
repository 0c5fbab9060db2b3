#include "report/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/html.h"

namespace finstill::report {
namespace {

// Bars: label above its bar, so that long names and phones both work.
constexpr double bar_width = 460, bar_left = 4, bar_row = 44, bar_height = 16, bar_axis = 24;
constexpr double bar_column = 9.6;  // a wider letter at the size that phones get (report/style.cpp)

double bar_x(double share) {
  return bar_left +
         (std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0.0) * (bar_width - 2 * bar_left);
}

std::string svg_open(double width, double height, const std::string& description,
                     const char* style = "") {
  return fmt::format(
      R"(<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>)", style,
      width, height, escape_html(description), escape_html(description));
}

std::string bar_grid(double height) {
  std::string out;
  for (int tick = 0; tick <= 100; tick += 25) {
    const double x = bar_x(tick / 100.0);
    out += fmt::format(R"(<line class="grid" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1:.1f}"/>)", x,
                       height - bar_axis + 4);
    out += fmt::format(R"(<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="{}">{} %</text>)",
                       x, height - 6,
                       tick == 0     ? "start"
                       : tick == 100 ? "end"
                                     : "middle",
                       tick);
  }
  return out;
}

/// What of a label fits before the value, with the whole of it to point at where that is not all.
std::string bar_label(const std::string& label, const std::string& value) {
  const auto columns = static_cast<std::size_t>((bar_width - 2 * bar_left) / bar_column);
  const std::string shown = fitted(label, columns - std::min(columns, columns_of(value) + 2));
  if (shown == label) return escape_html(label);
  return fmt::format("{}<title>{}</title>", escape_html(shown), escape_html(label));
}

std::string one_bar(const Bar& bar, double top) {
  const std::string value = percent(bar.value) + (bar.note.empty() ? "" : "  " + bar.note);
  std::string out = fmt::format(
      R"(<text class="label" x="{:.1f}" y="{:.1f}">{}</text><text class="value" x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)",
      bar_left, top + 14, bar_label(bar.label, value), bar_width - bar_left, top + 14,
      escape_html(value));
  const double y = top + 20;
  out += fmt::format(
      R"(<rect class="track" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="3"/>)",
      bar_x(0), y, bar_x(1) - bar_x(0), bar_height);
  out += fmt::format(
      R"(<rect class="bar {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="3"/>)",
      escape_html(bar.style), bar_x(0), y, std::max(1.0, bar_x(bar.value) - bar_x(0)), bar_height);
  if (bar.low <= bar.high) {
    const double middle = y + bar_height / 2;
    out += fmt::format(
        R"(<path class="whisker" d="M{0:.1f} {2:.1f}H{1:.1f}M{0:.1f} {3:.1f}V{4:.1f}M{1:.1f} {3:.1f}V{4:.1f}"/>)",
        bar_x(bar.low), bar_x(bar.high), middle, y + 3, y + bar_height - 3);
  }
  return out;
}

/// A step of 1, 2 or 5 times a power of ten that cuts `range` into about `count` pieces.
double nice_step(double range, int count) {
  const double rough = range / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double scaled = rough / power;
  return power * (scaled < 1.5 ? 1 : scaled < 3.5 ? 2 : scaled < 7.5 ? 5 : 10);
}

// Room for the letters of phones, which are twice as large against the plot (report/style.cpp).
constexpr double line_width = 760, line_height = 320, plot_left = 56, plot_right = 12,
                 plot_top = 10, plot_bottom = 60, tick_below = 24;
constexpr std::size_t most_points = 380;  // two pixels a point

struct Frame {
  double x_high = 1, y_low = 0, y_high = 1;
  double x(double value) const {
    return plot_left + value / x_high * (line_width - plot_left - plot_right);
  }
  double y(double value) const {
    return line_height - plot_bottom -
           (value - y_low) / (y_high - y_low) * (line_height - plot_top - plot_bottom);
  }
};

std::vector<Series> finite_series(const std::vector<Series>& series) {
  std::vector<Series> kept = series;
  for (Series& one : kept) {
    std::erase_if(one.points, [](const Point& point) {
      return !std::isfinite(point.x) || !std::isfinite(point.y);
    });
    if (one.points.size() <= most_points) continue;
    std::vector<Point> thinned;
    const std::size_t bucket = (one.points.size() + most_points - 1) / most_points;
    for (std::size_t at = 0; at < one.points.size(); at += bucket) {
      const std::size_t end = std::min(one.points.size(), at + bucket);
      Point mean;
      for (std::size_t i = at; i < end; ++i) {
        mean.x += one.points[i].x / static_cast<double>(end - at);
        mean.y += one.points[i].y / static_cast<double>(end - at);
      }
      thinned.push_back(mean);
    }
    one.points = std::move(thinned);
  }
  std::erase_if(kept, [](const Series& one) { return one.points.empty(); });
  return kept;
}

Frame frame_of(const std::vector<Series>& series) {
  Frame frame;
  double x_high = 0, low = INFINITY, high = -INFINITY;
  for (const Series& one : series) {
    for (const Point& point : one.points) {
      x_high = std::max(x_high, point.x);
      low = std::min(low, point.y);
      high = std::max(high, point.y);
    }
  }
  frame.x_high = x_high > 0 ? x_high : 1;
  frame.y_low = low > 0 ? 0 : low;
  frame.y_high = high > frame.y_low ? high * 1.05 : frame.y_low + 1;
  return frame;
}

std::string line_axes(const Frame& frame, const std::string& x_label, const std::string& y_label) {
  std::string out;
  const double y_step = nice_step(frame.y_high - frame.y_low, 4);
  for (double value = std::ceil(frame.y_low / y_step) * y_step; value <= frame.y_high;
       value += y_step) {
    out += fmt::format(
        R"(<line class="grid" x1="{0:.1f}" x2="{1:.1f}" y1="{2:.1f}" y2="{2:.1f}"/><text class="tick" x="{3:.1f}" y="{4:.1f}" text-anchor="end">{5:g}</text>)",
        plot_left, line_width - plot_right, frame.y(value), plot_left - 6, frame.y(value) + 4,
        value);
  }
  const double x_step = nice_step(frame.x_high, 5);
  for (double value = 0; value <= frame.x_high * 1.0001; value += x_step) {
    out += fmt::format(R"(<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)",
                       frame.x(value), line_height - plot_bottom + tick_below,
                       escape_html(short_count(value)));
  }
  out += fmt::format(R"(<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)",
                     line_width - plot_right, line_height - 6, escape_html(x_label));
  out += fmt::format(R"(<text class="tick" x="4" y="{:.1f}">{}</text>)", line_height - 6,
                     escape_html(y_label));
  return out;
}

}  // namespace

std::string bar_chart(const std::vector<Bar>& bars, const std::string& description) {
  const double height = bar_row * static_cast<double>(bars.size()) + bar_axis;
  std::string out = svg_open(bar_width, height, description) + bar_grid(height);
  for (std::size_t i = 0; i < bars.size(); ++i)
    out += one_bar(bars[i], bar_row * static_cast<double>(i));
  return out + "</svg>";
}

std::string line_chart(const std::vector<Series>& series, const std::string& x_label,
                       const std::string& y_label, const std::string& description) {
  const std::vector<Series> kept = finite_series(series);
  const Frame frame = frame_of(kept);
  std::string out =
      svg_open(line_width, line_height, description, "wide") + line_axes(frame, x_label, y_label);
  std::string legend;
  for (const Series& one : kept) {
    std::string path;
    for (const Point& point : one.points) {
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", frame.x(point.x),
                          frame.y(point.y));
    }
    if (one.points.size() == 1) path += "h1";
    out += fmt::format(R"(<path class="line {}{}" d="{}"/>)", escape_html(one.style),
                       one.dashed ? " dashed" : "", path);
    legend += fmt::format(R"(<li><i class="key {}{}"></i>{}</li>)", escape_html(one.style),
                          one.dashed ? " dashed" : "", escape_html(one.label));
  }
  return out + "</svg><ul class=\"legend\">" + legend + "</ul>";
}

std::string stacked_bar(const std::vector<Share>& shares, const std::string& description) {
  double total = 0;
  for (const Share& share : shares) total += share.count;
  if (total <= 0) return "";
  constexpr double height = 14;
  std::string out = svg_open(bar_width, height, description);
  double x = 0;
  for (const Share& share : shares) {
    const double width = share.count / total * bar_width;
    if (width <= 0) continue;
    out += fmt::format(
        R"(<rect class="{}" x="{:.1f}" y="0" width="{:.1f}" height="{}"><title>{}: {:.0f}</title></rect>)",
        escape_html(share.style), x, width, height, escape_html(share.label), share.count);
    x += width;
  }
  return out + "</svg>";
}

}  // namespace finstill::report
