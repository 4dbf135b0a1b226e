#include "augmix/run.h"

#include "augmix/chain.h"

namespace rcj::augmix {
namespace {

// An image and the memory for its chains.
class Studio {
 public:
  Studio(const Batch& batch, int64_t i, Scratch& scratch)
      : plan_(batch.plan),
        origin_{NewImage(scratch, batch.H, batch.W),
                {NewImage(scratch, batch.W, batch.H),
                 NewImage(scratch, batch.W, batch.H)},
                {}},
        spare_(NewImage(scratch, batch.H, batch.W)),
        own_(scratch.Take<Image>(plan_.K)) {
    for (int64_t k = 0; k < plan_.K; ++k) {
      own_[k] = NewImage(scratch, batch.H, batch.W);
    }
    Split(batch.images + i * batch.Values(), origin_.image);
  }

  const Image& image() const { return origin_.image; }

  // Chain k of version n, until chain k of another version is run.
  Chain Run(int64_t n, int64_t k) {
    Chain chain(origin_, own_[k], spare_);
    const int64_t first = (n * plan_.K + k) * plan_.D;
    for (int64_t slot = first; slot < first + plan_.D; ++slot) {
      if (plan_.op[slot] < 0) break;
      chain.Run(static_cast<Op>(plan_.op[slot]), plan_.Param(slot));
    }
    own_[k] = chain.own();
    spare_ = chain.spare();
    return chain;
  }

 private:
  const Plan& plan_;
  Origin origin_;
  Image spare_;
  Image* own_;
};

}  // namespace

void WriteViews(const Batch& batch, const Mixture& mixture, int64_t i,
                int64_t begin, int64_t end, const Output& out) {
  const int64_t K = batch.plan.K, A = batch.Versions();
  Scratch scratch;
  Studio studio(batch, i, scratch);
  Layer* layers = scratch.Take<Layer>(1 + K);
  Tone* tones = scratch.Take<Tone>(K);
  for (int64_t view = begin; view < end; ++view) {
    const int64_t first = (i * (A + mixture.clean) + view) * batch.Values();
    layers[0] = {studio.image(), nullptr, 1};
    int64_t count = 1;
    if (view >= mixture.clean) {
      const int64_t n = i * A + view - mixture.clean;
      const float m = mixture.m[n];
      layers[0].weight = 1 - m;
      for (int64_t k = 0; k < K; ++k) {
        const Chain chain = studio.Run(n, k);
        tones[k] = chain.tone();
        layers[count++] = {chain.image(), &tones[k],
                           m * mixture.weights[n * K + k]};
      }
    }
    Mix(layers, count, mixture.scale, mixture.offset, scratch,
        out.From(first));
  }
}

void WriteChains(const Batch& batch, int64_t n, uint8_t* out) {
  const int64_t K = batch.plan.K;
  Scratch scratch;
  Studio studio(batch, n / batch.Versions(), scratch);
  for (int64_t k = 0; k < K; ++k) {
    Chain chain = studio.Run(n, k);
    chain.Settle();
    Join(chain.image(), out + (n * K + k) * batch.Values());
  }
}

}  // namespace rcj::augmix
