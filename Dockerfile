# docker build -t ablation .              with CUDA, for GPUs (docker run --gpus all) and CPUs
# docker build -t ablation --build-arg TORCH_INDEX=URL .      another build of torch, such as PyTorch's
#                                                             index of small wheels for CPUs
FROM python:3.11-slim
ARG TORCH_INDEX=
ENV PIP_EXTRA_INDEX_URL=$TORCH_INDEX PIP_NO_CACHE_DIR=1 MUJOCO_GL=egl
RUN apt-get update && apt-get install --yes --no-install-recommends git libegl1 libgl1-mesa-dri \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /ablation
COPY . .
RUN pip install --editable '.[control,tensorboard,report,slurm]'
CMD ["dreamer-ablation"]
