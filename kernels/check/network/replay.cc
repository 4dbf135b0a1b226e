// Runs the networks of a file, whole and broken, outside of XLA: built with
// sanitizers it finds bad memory accesses.
//
//   replay FILE
//
// The file has a count, and of each network its words and numbers, each behind
// their count. Fails if threads or the size of the batch change a result.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

extern "C" {
int64_t rcj_network_make(const int64_t* words, int64_t count,
                         const float* numbers, int64_t total, char* fault,
                         int64_t fault_size);
int rcj_network_run(int64_t number, const float* images, int64_t batch,
                    float* logits, int threads);
void rcj_network_free(int64_t number);
}

namespace rcj::check {
namespace {

constexpr int kBatch = 19;
constexpr int kHeader = 8, kWords = 14;

struct Recorded {
  std::vector<int64_t> words;
  std::vector<float> numbers;
};

template <class T>
std::vector<T> ReadVector(std::istream& in) {
  int64_t count = 0;
  in.read(reinterpret_cast<char*>(&count), sizeof(count));
  std::vector<T> values(count);
  in.read(reinterpret_cast<char*>(values.data()), count * sizeof(T));
  return values;
}

void Demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::exit(1);
}

// Logits of the first images, null if it is no network.
std::vector<float> Logits(const Recorded& network,
                          const std::vector<float>& images, int batch,
                          int threads) {
  char fault[256] = {};
  const int64_t number = rcj_network_make(
      network.words.data(), network.words.size(), network.numbers.data(),
      network.numbers.size(), fault, sizeof(fault));
  Demand((number != 0) != (fault[0] != 0), "a fault without words");
  if (!number) return {};
  const int64_t last = network.words[6] - 1;
  const int64_t classes = network.words[kHeader + last * kWords + 3];
  // Exactly as much memory as the call may use.
  const int64_t size = network.words[1] * network.words[2] * 3;
  if (size * batch > static_cast<int64_t>(images.size())) {
    rcj_network_free(number);
    return {};
  }
  const std::vector<float> own(images.begin(), images.begin() + size * batch);
  std::vector<float> logits(classes * batch, NAN);
  const int failed =
      rcj_network_run(number, own.data(), batch, logits.data(), threads);
  rcj_network_free(number);
  return failed ? std::vector<float>() : logits;
}

void RunWhole(const Recorded& network, const std::vector<float>& images) {
  const auto expected = Logits(network, images, kBatch, 1);
  Demand(!expected.empty(), "a whole network that does not run");
  for (int threads : {2, 5}) {
    Demand(Logits(network, images, kBatch, threads) == expected,
           "threads change the result");
  }
  // bfloat16 is rounded at other places of the mean's sum.
  const float tolerance = network.words[3] == 1 ? 1e-2f : 1e-4f;
  for (int batch : {1, 2, 7}) {
    const auto found = Logits(network, images, batch, 2);
    Demand(found.size() == expected.size() / kBatch * batch,
           "a batch that does not run");
    for (size_t i = 0; i < found.size(); ++i) {
      Demand(std::abs(found[i] - expected[i]) <=
                 tolerance * (1 + std::abs(expected[i])),
             "the batch changes the result");
    }
  }
}

void RunBroken(const Recorded& whole, const std::vector<float>& images) {
  std::mt19937 random(1);
  const int64_t values[] = {INT64_MIN, -2, -1, 0,  1,   2,
                            3,         4,  7,  64, 999, INT64_MAX};
  for (size_t i = 0; i < whole.words.size(); ++i) {
    Recorded broken = whole;
    broken.words[i] = values[random() % std::size(values)];
    Logits(broken, images, 3, 2);
    broken.words[random() % broken.words.size()] += random() % 3 - 1;
    Logits(broken, images, 1, 1);
  }
  Recorded shorter = whole;
  shorter.numbers.resize(whole.numbers.size() - 1);
  Logits(shorter, images, 1, 1);
  shorter.words.pop_back();
  Logits(shorter, images, 1, 1);
}

int Main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FILE\n", argv[0]);
    return 2;
  }
  std::ifstream in(argv[1], std::ios::binary);
  int64_t count = 0;
  in.read(reinterpret_cast<char*>(&count), sizeof(count));
  for (int64_t i = 0; i < count; ++i) {
    Recorded network;
    network.words = ReadVector<int64_t>(in);
    network.numbers = ReadVector<float>(in);
    std::mt19937 random(i);
    std::uniform_real_distribution<float> uniform(0, 1);
    std::vector<float> images(kBatch * network.words[1] * network.words[2] * 3);
    for (float& value : images) value = uniform(random);
    RunWhole(network, images);
    RunBroken(network, images);
    std::printf("%d\n", static_cast<int>(i));
  }
  return in.good() && count > 0 ? 0 : 1;
}

}  // namespace
}  // namespace rcj::check

int main(int argc, char** argv) { return rcj::check::Main(argc, argv); }
