// Turns the dome of the telescope until its slit looks where the telescope looks.
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <vector>

namespace dome {

struct Angle {
  double degrees = 0;
  Angle wrapped() const { return {std::fmod(std::fmod(degrees, 360.0) + 360.0, 360.0)}; }
};

class Motor {
 public:
  explicit Motor(double degrees_per_second) : speed_(degrees_per_second) {
    if (speed_ <= 0) throw std::invalid_argument("a motor needs a speed");
  }
  double seconds_to(Angle from, Angle to) const {
    double way = std::fabs(to.wrapped().degrees - from.wrapped().degrees);
    return (way > 180.0 ? 360.0 - way : way) / speed_;
  }

 private:
  double speed_;
};

}  // namespace dome

int main() {
  const dome::Motor motor(1.5);
  const std::vector<dome::Angle> targets{{10.0}, {355.0}, {181.5}};
  dome::Angle now{0.0};
  for (const auto& next : targets) {
    std::printf("%6.1f -> %6.1f: %.1f s\n", now.degrees, next.degrees, motor.seconds_to(now, next));
    now = next;
  }
  return 0;
}
