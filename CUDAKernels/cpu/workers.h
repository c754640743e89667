// A pool of threads. They are never joined: a library that waits for threads while it is unloaded can hang.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>

namespace nabgs {

class Workers {
public:
    // Calls task(0) ... task(count - 1), on the calling thread and up to threads - 1 others; returns when all are done.
    // An exception of any of them comes out here, and the rest is left undone.
    void run(int threads, int64_t count, const std::function<void(int64_t)>& task) {
        if (threads <= 1 || count <= 1) {
            for (int64_t k = 0; k < count; ++k) task(k);
            return;
        }
        {
            std::lock_guard<std::mutex> lock(mutex_);
            const int wanted = int(threads - 1 < count - 1 ? threads - 1 : count - 1);
            try {
                for (; started_ < wanted; ++started_)
                    std::thread(&Workers::wait_for_work, this, started_, round_).detach();
            } catch (const std::system_error&) {  // no more threads: those that there are will do
            }
            helpers_ = busy_ = started_ < wanted ? started_ : wanted;
            task_ = &task;
            count_ = count;
            next_ = 0;
            fault_ = nullptr;
            ++round_;
        }
        wake_.notify_all();
        take(task, count);
        std::unique_lock<std::mutex> lock(mutex_);
        done_.wait(lock, [this] { return busy_ == 0; });
        if (fault_) std::rethrow_exception(fault_);
    }

private:
    void take(const std::function<void(int64_t)>& task, int64_t count) {
        try {
            for (int64_t k; (k = next_.fetch_add(1)) < count;) task(k);
        } catch (...) {  // told once all threads are done with the task
            next_ = count;
            std::lock_guard<std::mutex> lock(mutex_);
            fault_ = std::current_exception();
        }
    }

    void wait_for_work(int number, uint64_t seen) {
        std::unique_lock<std::mutex> lock(mutex_);
        for (;;) {
            wake_.wait(lock, [&] { return round_ != seen; });
            seen = round_;
            if (number >= helpers_) continue;
            const auto* task = task_;
            const int64_t count = count_;
            lock.unlock();
            take(*task, count);
            lock.lock();
            if (--busy_ == 0) done_.notify_one();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_, done_;
    const std::function<void(int64_t)>* task_ = nullptr;
    std::atomic<int64_t> next_{0};
    int64_t count_ = 0;
    int helpers_ = 0, started_ = 0, busy_ = 0;
    uint64_t round_ = 0;
    std::exception_ptr fault_;
};

}  // namespace nabgs
