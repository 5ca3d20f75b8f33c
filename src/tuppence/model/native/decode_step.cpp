// One token through a whole GPT-2, for one sequence, on a CPU: from a token id to the logits of the next one.
//
// Writing one sequence multiplies every matrix by one vector, so nearly all the time is reading weights. What is
// done about it: threads are started once a token and meet at barriers, instead of once an operation; each reads its
// rows in one forward run, which the processor fetches ahead; what lies between two matrices never leaves the cache.
//
// The numbers are those of the ordinary path (gpt.py, attention.py): sums in float32, and in a bfloat16 model every
// value that torch would have stored in bfloat16 is rounded to it at the same place. Only the order of the additions
// differs. Each row is summed by one thread, so the number of threads does not change the result.
//
// What is not in here: batches, prompts, dropout and sampling; and checks: decode_step.py makes them before it calls.
// Plain C++17 with the vector types that g++ and clang++ share, and no library; native.py compiles it. Names carry
// their shape as everywhere in this room (see __init__.py).

#include <atomic>
#include <climits>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <thread>
#include <vector>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace {

// ---- numbers -------------------------------------------------------------------------------------------------------

constexpr int64_t LANES = 16;
typedef float Floats __attribute__((vector_size(LANES * 4)));
typedef float HalfOfFloats __attribute__((vector_size(LANES * 2)));
typedef int32_t Ints __attribute__((vector_size(LANES * 4)));
typedef uint32_t Words __attribute__((vector_size(LANES * 4)));
typedef uint16_t Halves __attribute__((vector_size(LANES * 2)));

#define INLINE static inline __attribute__((always_inline))

struct bfloat16 {
    uint16_t bits;  // the upper half of a float32
};

template <class To, class From>
INLINE To reinterpret(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

INLINE float wide(float number) { return number; }
INLINE float wide(bfloat16 number) { return reinterpret<float>(static_cast<uint32_t>(number.bits) << 16); }

INLINE void store(float* place, float number) { *place = number; }
INLINE void store(bfloat16* place, float number) {
    uint32_t bits = reinterpret<uint32_t>(number);
    if (number != number) {
        place->bits = static_cast<uint16_t>((bits >> 16) | 64);  // stays a NaN
    } else {
        place->bits = static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);  // to nearest, ties to even
    }
}

// What is left of a number that was stored as a T.
template <class T>
INLINE float rounded(float number) {
    T stored;
    store(&stored, number);
    return wide(stored);
}

INLINE Floats load(const float* place) {
    Floats numbers;
    std::memcpy(&numbers, place, sizeof numbers);
    return numbers;
}
INLINE Floats load(const bfloat16* place) {
    Halves halves;
    std::memcpy(&halves, place, sizeof halves);
    return reinterpret<Floats>(__builtin_convertvector(halves, Words) << 16);
}

INLINE float sum_of(Floats numbers) {
    HalfOfFloats halves[2];
    std::memcpy(halves, &numbers, sizeof numbers);
    HalfOfFloats half = halves[0] + halves[1];
    return ((half[0] + half[4]) + (half[2] + half[6])) + ((half[1] + half[5]) + (half[3] + half[7]));
}

// e to the power of each number, to 2 units in the last place: 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2].
INLINE Floats exponential(Floats x) {
    x = x < -87.0f ? Floats{} - 87.0f : x;
    x = x > 88.0f ? Floats{} + 88.0f : x;
    const Floats shifted = x * 1.44269504f + 12582912.0f;  // 1.5 * 2^23: leaves the nearest integer in the low bits
    const Floats n = shifted - 12582912.0f;
    const Floats r = (x - n * 0.693145752f) - n * 1.42860677e-6f;  // ln 2 in two parts
    Floats p = r * 1.98412698e-4f + 1.38888889e-3f;  // Taylor: 1/7!, 1/6!, ...
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const Ints exponent = __builtin_convertvector(n, Ints) << 23;
    return reinterpret<Floats>(reinterpret<Ints>(p) + exponent);
}

// Calls `change` on all numbers in place, LANES at a time; the last ones by way of a padded copy.
template <class Change>
INLINE void change_each(float* numbers, int64_t count, Change change) {
    for (int64_t i = 0; i < count; i += LANES) {
        const size_t bytes = sizeof(float) * static_cast<size_t>(count - i < LANES ? count - i : LANES);
        Floats some{};
        std::memcpy(&some, numbers + i, bytes);
        some = change(some);
        std::memcpy(numbers + i, &some, bytes);
    }
}

// ---- threads -------------------------------------------------------------------------------------------------------

// A number that threads wait for to change: dozens of times a step, microseconds each where every thread has a core.
// Where another program has the core of the thread that is waited for, waiting threads sleep: a thread that only yields
// gives up its share of the processor with every call, and beside two busy loops a token then takes 30 times as long.
class Changing {
public:
    int get() const { return number_.load(std::memory_order_acquire); }

    // The counts of sleepers and the number are read and written in one order that all threads agree on: either the
    // sleeper sees the new number, or the thread that sets it sees the sleeper.
    void set(int number) {
        number_.store(number);
        if (sleepers_.load() > 0) wake_all();
    }

    void wait_while(int number) {
        for (int spins = 0; spins < SPINS; ++spins) {
            if (get() != number) return;
        }
        sleepers_.fetch_add(1);
        while (number_.load() == number) sleep_while(number);
        sleepers_.fetch_sub(1);
    }

private:
    static constexpr int SPINS = 1 << 14;  // some ten microseconds

#ifdef __linux__
    static_assert(sizeof(std::atomic<int>) == sizeof(int), "a futex is a plain int");
    void sleep_while(int number) { syscall(SYS_futex, &number_, FUTEX_WAIT_PRIVATE, number, nullptr, nullptr, 0); }
    void wake_all() { syscall(SYS_futex, &number_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0); }
#else
    void sleep_while(int) { std::this_thread::yield(); }
    void wake_all() {}
#endif

    std::atomic<int> number_{0}, sleepers_{0};
};

// Where all threads wait for each other.
class Barrier {
public:
    void wait(int threads) {
        if (threads == 1) return;
        const int round = round_.get();
        if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads) {
            arrived_.store(0, std::memory_order_relaxed);
            round_.set(round + 1);
        } else {
            round_.wait_while(round);
        }
    }

private:
    std::atomic<int> arrived_{0};
    Changing round_;
};

struct Range {
    int64_t begin, end;
};

// The part of `count` things that falls to one of the threads.
INLINE Range share(int64_t count, int thread, int threads) {
    return {count * thread / threads, count * (thread + 1) / threads};
}

// ---- a row times a vector ------------------------------------------------------------------------------------------

// How a vector is kept that a matrix of T is multiplied by: rounded to T, and stored as a T where the processor
// multiplies two of them at once. That halves its instructions, so that it looks further ahead in what it reads.
template <class T>
struct Multiplied {
    typedef float type;
};
#ifdef __AVX512BF16__
template <>
struct Multiplied<bfloat16> {
    typedef bfloat16 type;
};
#endif
template <class T>
using Factor = typename Multiplied<T>::type;

#ifdef __AVX512BF16__
#ifdef __AMX_BF16__
constexpr int64_t AHEAD = 8192;  // bytes: Intel's prefetcher keeps too short a distance at this speed; Zen 4's does not
#else
constexpr int64_t AHEAD = 0;
#endif

INLINE float dot(const bfloat16* row, const bfloat16* x, int64_t width) {
    constexpr int64_t SUMS = 4, PAIRS = 2 * LANES, BLOCK = SUMS * PAIRS;
    __m512 sums[SUMS] = {};
    const auto pairs = [](const bfloat16* place) {
        __m512bh numbers;
        std::memcpy(&numbers, place, sizeof numbers);
        return numbers;
    };
    int64_t i = 0;
    for (; i + BLOCK <= width; i += BLOCK) {
        for (int64_t which = 0; which < SUMS; ++which) {
            const int64_t place = i + which * PAIRS;
            if (AHEAD) __builtin_prefetch(reinterpret_cast<const char*>(row + place) + AHEAD);
            sums[which] = _mm512_dpbf16_ps(sums[which], pairs(row + place), pairs(x + place));
        }
    }
    for (; i + PAIRS <= width; i += PAIRS) sums[0] = _mm512_dpbf16_ps(sums[0], pairs(row + i), pairs(x + i));
    for (int64_t which = 1; which < SUMS; ++which) sums[0] += sums[which];
    float sum = sum_of(reinterpret<Floats>(sums[0]));
    for (; i < width; ++i) sum += wide(row[i]) * wide(x[i]);
    return sum;
}
#endif

// One row of a matrix times x. Four sums side by side, so that no addition waits for the one before.
template <class T>
INLINE float dot(const T* row, const float* x, int64_t width) {
    constexpr int64_t SUMS = 4, BLOCK = SUMS * LANES;
    Floats sums[SUMS] = {};
    int64_t i = 0;
    for (; i + BLOCK <= width; i += BLOCK) {
        for (int64_t which = 0; which < SUMS; ++which) {
            sums[which] += load(row + i + which * LANES) * load(x + i + which * LANES);
        }
    }
    for (; i + LANES <= width; i += LANES) sums[0] += load(row + i) * load(x + i);
    for (int64_t which = 1; which < SUMS; ++which) sums[0] += sums[which];
    float sum = sum_of(sums[0]);
    for (; i < width; ++i) sum += wide(row[i]) * x[i];
    return sum;
}

// Hands (row, row · x) to `take` for every row of the range.
template <class T, class Take>
INLINE void multiply(const T* matrix, const Factor<T>* x, int64_t width, Range rows, Take take) {
    for (int64_t row = rows.begin; row < rows.end; ++row) take(row, dot(matrix + row * width, x, width));
}

// ---- the pieces of the model ---------------------------------------------------------------------------------------

template <class T>
void layer_norm(const float* x_D, const T* weight_D, const T* bias_D, float epsilon, int64_t width,
                Factor<T>* out_D) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < width; ++i) sum += x_D[i];
    const float mean = static_cast<float>(sum / width);
    for (int64_t i = 0; i < width; ++i) squares += (x_D[i] - mean) * (x_D[i] - mean);
    const float scale = 1 / std::sqrt(static_cast<float>(squares / width) + epsilon);
    for (int64_t i = 0; i < width; ++i) {
        store(&out_D[i], rounded<T>((x_D[i] - mean) * scale * wide(weight_D[i]) + wide(bias_D[i])));
    }
}

// x (1 + tanh u) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3), as x / (1 + exp(-2 u)).
template <class T>
void gelu(float* x, int64_t count, Factor<T>* out) {
    change_each(x, count, [](Floats some) {
        return some / (1.0f + exponential(-1.59576912f * (some + 0.044715f * some * some * some)));
    });
    for (int64_t i = 0; i < count; ++i) store(&out[i], rounded<T>(x[i]));
}

// out_k = sum over s of weights_s values_sk, for VECTORS * LANES columns at once.
template <int VECTORS, class T>
INLINE void weighted_sum(const float* weights_S, const T* values_SK, int64_t seen, int64_t width, float* out) {
    Floats sums[VECTORS] = {};
    for (int64_t s = 0; s < seen; ++s) {
        for (int i = 0; i < VECTORS; ++i) sums[i] += weights_S[s] * load(values_SK + s * width + i * LANES);
    }
    std::memcpy(out, sums, sizeof sums);
}

// One head's query against everything seen so far. `weights_S` and `sums_K` are room for as many numbers.
template <class T>
void attend(const Factor<T>* q_K, const T* keys_SK, const T* values_SK, int64_t seen, int64_t width, float* weights_S,
            float* sums_K, Factor<T>* out_K) {
    const float scale = 1 / std::sqrt(static_cast<float>(width));
    for (int64_t s = 0; s < seen; ++s) weights_S[s] = dot(keys_SK + s * width, q_K, width) * scale;
    float highest = weights_S[0];
    for (int64_t s = 1; s < seen; ++s) highest = weights_S[s] > highest ? weights_S[s] : highest;
    change_each(weights_S, seen, [&](Floats some) { return exponential(some - highest); });
    float sum = 0;
    for (int64_t s = 0; s < seen; ++s) {
        sum += weights_S[s];
        weights_S[s] = rounded<T>(weights_S[s]);  // torch multiplies the values by bfloat16 weights, too
    }

    int64_t k = 0;
    for (; k + 4 * LANES <= width; k += 4 * LANES) weighted_sum<4>(weights_S, values_SK + k, seen, width, sums_K + k);
    for (; k + LANES <= width; k += LANES) weighted_sum<1>(weights_S, values_SK + k, seen, width, sums_K + k);
    for (; k < width; ++k) {
        sums_K[k] = 0;
        for (int64_t s = 0; s < seen; ++s) sums_K[k] += weights_S[s] * wide(values_SK[s * width + k]);
    }
    for (k = 0; k < width; ++k) store(&out_K[k], rounded<T>(sums_K[k] / sum));
}

}  // namespace

// ---- what decode_step.py fills in: the order of the fields is the same there --------------------------------------

struct Layer {
    const void *attention_norm_weight_D, *attention_norm_bias_D;
    const void *qkv_weight_3DD, *qkv_bias_3D;
    const void *projection_weight_DD, *projection_bias_D;
    const void *mlp_norm_weight_D, *mlp_norm_bias_D;
    const void *expand_weight_4DD, *expand_bias_4D;
    const void *contract_weight_D4D, *contract_bias_D;
    void *keys_HSK, *values_HSK;
};

struct Model {
    int64_t n_layers, n_heads, d_model, vocab_size, capacity;  // capacity: S of the cache
    float epsilon;
    const void *token_embedding_VD, *position_embedding_SD;
    const void *final_norm_weight_D, *final_norm_bias_D;
    const Layer* layers;
};

namespace {

// What the threads of one step share. All memory is allocated here: a thread that fails would end the process.
template <class T>
class Step {
public:
    Step(const Model& model, int64_t token, int64_t position, T* logits_V, int threads)
        : model_(model), width_(model.d_model), position_(position), logits_V_(logits_V), x_D_(width_), q_D_(width_),
          gathered_D_(width_), expanded_(4 * width_), activated_(4 * width_) {
        for (int thread = 0; thread < threads; ++thread) {
            own_.push_back({Factors(width_), Numbers(position + 1), Numbers(width_ / model.n_heads)});
        }
        const T* token_D = at(model.token_embedding_VD) + token * width_;
        const T* position_D = at(model.position_embedding_SD) + position * width_;
        for (int64_t i = 0; i < width_; ++i) x_D_[i] = rounded<T>(wide(token_D[i]) + wide(position_D[i]));
    }

    // Threads live for one step: starting one takes some 20 microseconds, and none is left to fork or to wait for.
    // Where the system gives fewer than asked for, those that came share the work.
    void run() {
        std::vector<std::thread> others;
        others.reserve(own_.size());
        try {
            while (others.size() + 1 < own_.size()) others.emplace_back([this, thread = int(others.size()) + 1] {
                threads_.wait_while(0);
                run_thread(thread, threads_.get());
            });
        } catch (const std::exception&) {
        }
        const int threads = static_cast<int>(others.size()) + 1;
        threads_.set(threads);
        run_thread(0, threads);
        for (std::thread& other : others) other.join();
    }

private:
    typedef std::vector<float> Numbers;
    typedef std::vector<Factor<T>> Factors;
    struct Own {
        Factors normed_D;
        Numbers weights_S, sums_K;
    };

    static const T* at(const void* place) { return static_cast<const T*>(place); }

    void run_thread(int thread, int threads) {
        for (int64_t layer = 0; layer < model_.n_layers; ++layer) run_layer(model_.layers[layer], thread, threads);
        Factor<T>* normed_D = own_[thread].normed_D.data();
        layer_norm(x_D_.data(), at(model_.final_norm_weight_D), at(model_.final_norm_bias_D), model_.epsilon, width_,
                   normed_D);
        multiply(at(model_.token_embedding_VD), normed_D, width_, share(model_.vocab_size, thread, threads),
                 [&](int64_t row, float sum) { store(&logits_V_[row], sum); });
    }

    // The norms are computed by every thread for itself: cheaper than one more barrier.
    void run_layer(const Layer& layer, int thread, int threads) {
        Factor<T>* normed_D = own_[thread].normed_D.data();
        layer_norm(x_D_.data(), at(layer.attention_norm_weight_D), at(layer.attention_norm_bias_D), model_.epsilon,
                   width_, normed_D);
        multiply(at(layer.qkv_weight_3DD), normed_D, width_, share(3 * width_, thread, threads),
                 [&](int64_t row, float sum) { keep(layer, row, sum + wide(at(layer.qkv_bias_3D)[row])); });
        barrier_.wait(threads);

        const int64_t head_width = width_ / model_.n_heads;
        const Range heads = share(model_.n_heads, thread, threads);
        for (int64_t head = heads.begin; head < heads.end; ++head) {
            const int64_t place = head * model_.capacity * head_width;
            attend(&q_D_[head * head_width], at(layer.keys_HSK) + place, at(layer.values_HSK) + place, position_ + 1,
                   head_width, own_[thread].weights_S.data(), own_[thread].sums_K.data(),
                   &gathered_D_[head * head_width]);
        }
        barrier_.wait(threads);

        const Range out = share(width_, thread, threads), inner = share(4 * width_, thread, threads);
        multiply(at(layer.projection_weight_DD), gathered_D_.data(), width_, out, [&](int64_t row, float sum) {
            x_D_[row] = rounded<T>(x_D_[row] + rounded<T>(sum + wide(at(layer.projection_bias_D)[row])));
        });
        barrier_.wait(threads);

        layer_norm(x_D_.data(), at(layer.mlp_norm_weight_D), at(layer.mlp_norm_bias_D), model_.epsilon, width_,
                   normed_D);
        multiply(at(layer.expand_weight_4DD), normed_D, width_, inner, [&](int64_t row, float sum) {
            expanded_[row] = rounded<T>(sum + wide(at(layer.expand_bias_4D)[row]));
        });
        gelu<T>(&expanded_[inner.begin], inner.end - inner.begin, &activated_[inner.begin]);
        barrier_.wait(threads);

        multiply(at(layer.contract_weight_D4D), activated_.data(), 4 * width_, out, [&](int64_t row, float sum) {
            x_D_[row] = rounded<T>(x_D_[row] + rounded<T>(sum + wide(at(layer.contract_bias_D)[row])));
        });
        barrier_.wait(threads);
    }

    // Row by row, the query comes first, then the key, then the value; the latter two go into the cache.
    void keep(const Layer& layer, int64_t row, float number) {
        if (row < width_) {
            store(&q_D_[row], rounded<T>(number));
            return;
        }
        const int64_t head_width = width_ / model_.n_heads, i = row % width_;
        const int64_t place = (i / head_width * model_.capacity + position_) * head_width + i % head_width;
        store(static_cast<T*>(row < 2 * width_ ? layer.keys_HSK : layer.values_HSK) + place, number);
    }

    const Model& model_;
    const int64_t width_, position_;
    T* const logits_V_;
    Changing threads_;  // 0: not all have been started yet
    Barrier barrier_;
    Numbers x_D_;
    Factors q_D_, gathered_D_;
    Numbers expanded_;
    Factors activated_;
    std::vector<Own> own_;
};

template <class T>
int decode(const Model& model, int64_t token, int64_t position, T* logits_V, int threads) {
    try {
        Step<T>(model, token, position, logits_V, threads).run();
        return 0;
    } catch (const std::bad_alloc&) {
        return 1;
    }
}

}  // namespace

extern "C" {

int decode_float32(const Model* model, int64_t token, int64_t position, float* logits_V, int threads) {
    return decode(*model, token, position, logits_V, threads);
}

int decode_bfloat16(const Model* model, int64_t token, int64_t position, uint16_t* logits_V, int threads) {
    return decode(*model, token, position, reinterpret_cast<bfloat16*>(logits_V), threads);
}
}
